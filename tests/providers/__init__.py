"""Stand-ins for the webhook providers: servers that behave as the providers' documentation says."""
