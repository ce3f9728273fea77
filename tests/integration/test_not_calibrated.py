"""A question with another number of options than the calibration is for, over real HTTP: every face sends it to the cloud and says why."""

import pytest

from app.core.verdict import Signal
from app.data.calibration import read_calibration, write_calibration
from app.data.option_counts import OptionCounts
from tests.integration.test_api import calibration_file, gateway
from tests.support.fitted import fitted_model

ASK = {"question": "I am sure of this", "options": ["a", "b", "c", "d"]}
MORE = ASK | {"options": list("abcdefgh")}


def for_four(path, signal):
    calibration_file(path)
    changes = {
        "version": 4,
        "signal": signal,
        "temperature": 1.0,
        "tau": 0.0,
        "domains": {},
        "fitted": fitted_model() if signal is Signal.FITTED else None,
        "options": OptionCounts(numbers=(3, 4, 5), n={3: 90, 5: 90, 8: 1}),
    }
    write_calibration(path, read_calibration(path).model_copy(update=changes))
    return path


@pytest.mark.parametrize("signal", [Signal.FITTED, Signal.MARGIN])
@pytest.mark.parametrize("cloud", [True, False])
async def test_it_goes_to_the_cloud_whatever_tau_is_and_the_reply_says_why(tmp_path, cloud, signal):
    async with gateway(policy={"calibration": for_four(tmp_path / "c.json", signal)}, cloud=cloud) as (http, _):
        kept = (await http.post("/v1/answer", json=ASK)).json()
        response = await http.post("/v1/answer", json=MORE | {"tau": 0.0})
        sent = response.json()
        forced = (await http.post("/v1/answer", json=MORE | {"route": "edge"})).json()
        batch = (await http.post("/v1/answers", json={"questions": [ASK, MORE]})).json()
        metrics = (await http.get("/metrics")).text
        edge, *_ = (await http.get("/v1/models")).json()["data"]
    assert (kept["route"], kept["reason"]) == ("edge", "confident")
    assert 0 < kept["signal_value"] < 1
    assert (forced["route"], forced["reason"]) == ("edge", "forced")
    assert (forced["signal_value"] is None) == (signal is Signal.FITTED)
    # Nothing was compared with tau, so that nobody takes the number for one that reaches it.
    assert (sent["signal_value"], response.headers["x-foggate-signal"]) == (None, "none")
    assert sent["degraded"] is not cloud
    assert (sent["route"], sent["reason"]) == (("cloud", "not_calibrated") if cloud else ("edge", "cloud_not_configured"))
    assert [result["reason"] for result in batch["results"]] == ["confident", sent["reason"]]
    assert edge["calibration"]["options"] == {"numbers": [3, 4, 5], "n": {"3": 90, "5": 90, "8": 1}}
    if cloud:
        assert 'foggate_requests_total{reason="not_calibrated",route="cloud"}' in metrics
