"""Cloud clients for tests: one endpoint unless told otherwise, a breaker that stays closed, any number of retries."""

import math

from app.cloud.breaker import Breaker
from app.cloud.client import CloudClient
from app.cloud.endpoint import Endpoint
from app.cloud.retry_budget import RetryBudget
from app.metrics import Metrics


def breaker(**kwargs):
    return Breaker(**{"window_s": 10, "min_calls": 10**9, "failure_rate": 0.5, "open_s": 10, "probes": 3, **kwargs})


def endpoint(url, name="default", *, model="m", api_key=None, extra_headers=None, rules=None):
    return Endpoint(name, url + "/v1", model, rules or breaker(), api_key, extra_headers or {})


def cloud_client(*places, metrics=None, api_key=None, extra_headers=None, share=math.inf, **kwargs):
    """`places` are URLs or endpoints, in the order of their priority."""
    endpoints = [endpoint(place, api_key=api_key, extra_headers=extra_headers) if isinstance(place, str) else place for place in places]
    return CloudClient(endpoints, metrics or Metrics(), retry_budget=RetryBudget(share), seed=0, **kwargs)
