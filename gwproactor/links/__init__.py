"""Links: monitored conversations with one peer each, over an MQTT broker."""
