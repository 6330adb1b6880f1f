// From scores and typicality to status and label, as `galaxy_edge.decision` with the file's own rule.

/** The shortest decimal of a float32: 0.9812, not 0.9811999797821045. */
export function decimal(value) {
  for (let digits = 1; digits < 10; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/** A verdict. `scores` are one number for two classes, else one for each; they are checked. */
export function verdict({classes, decision}, scores, typicality) {
  const values = Array.from(scores, decimal);
  const usual = typicality === null ? null : decimal(typicality);
  const share = (value) => value >= 0 && value <= 1;
  if (!values.every(share) || !(usual === null || share(usual))) throw new Error("the model gives numbers outside 0 to 1");
  const two = classes.length === 2;
  const {threshold, abstain, ood_limit: limit} = decision;
  const place = two ? Number(values[0] > threshold) : values.indexOf(Math.max(...values));
  const score = two ? values[0] : values[place];
  let status = "ok";
  if (usual !== null && limit !== null && !(usual >= limit)) status = "out_of_distribution";
  else if (abstain !== null && abstain[0] <= score && score <= abstain[1]) status = "uncertain";
  else if (!two && threshold !== null && score < threshold) status = "uncertain";
  const probabilities = two ? {[classes[0]]: 1 - score, [classes[1]]: score}
    : Object.fromEntries(classes.map((name, one) => [name, values[one]]));
  return {status, label: status === "ok" ? classes[place] : null, score, probabilities, typicality: usual};
}
