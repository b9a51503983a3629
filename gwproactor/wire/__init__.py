"""What travels between two peers: topics, envelope, payloads, and the codec that joins them."""
