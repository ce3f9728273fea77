"""`foggate bench gateway` and `foggate bench streams`: what the gateway costs in front of a cloud, beside other proxies."""
