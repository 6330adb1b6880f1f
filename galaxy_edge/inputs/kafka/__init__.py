"""Messages of Kafka as inputs (the extra ``kafka``)."""
