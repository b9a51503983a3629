"""The links and MQTT clients of a node by the names of the threaded predecessor."""
