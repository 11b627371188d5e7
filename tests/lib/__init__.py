"""What the integration tests share: the bridge, a broker, an HTTP client, a subscriber."""
