"""The events in a node's data folder, looked at and put right by a person: `gwproactor events`."""
