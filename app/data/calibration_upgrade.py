"""The content of calibration files of earlier versions as this version reads it."""

from typing import Any

from app.data.target import Target

_SCOPE_OF_VERSION_1 = (
    "An earlier version chose the threshold of small, other and unnamed domains on all questions together: nothing is promised for them."
)


def upgraded(content: Any) -> Any:
    """The content of a file with today's names and values; damage is left for the validation to find."""
    if not isinstance(content, dict):
        return content
    if "verdict" in content and "recommendation" not in content:
        # Earlier versions called the recommendation a verdict.
        content = {("recommendation" if key == "verdict" else key): value for key, value in content.items()}
    return _from_version_1(content) if content.get("version") == 1 else content


def _from_version_1(content: dict[str, Any]) -> dict[str, Any]:
    """A file of version 1, whose `held` was true where the target was merely not refuted."""
    target, domains = content.get("target"), content.get("domains", {})
    renewed = {**content, "version": 2, "achieved": _three_valued(content.get("achieved"), target)}
    if isinstance(target, dict) and target.get("per_domain"):
        renewed["scope"] = _SCOPE_OF_VERSION_1
    if isinstance(domains, dict):
        renewed["domains"] = {
            name: {**own, "achieved": _three_valued(own.get("achieved"), target)} if isinstance(own, dict) else own
            for name, own in domains.items()
        }
    return renewed


def _three_valued(achieved: Any, target: Any) -> Any:
    """The numbers of a version 1 file with `held` computed as it is now; damage is left for the validation to find."""
    if not isinstance(achieved, dict) or not isinstance(achieved.get("held"), bool):
        return achieved
    if not achieved["held"]:
        return {**achieved, "held": "refuted"}
    try:
        held = Target.model_validate(target).outcome(**{key: achieved[key] for key in ("cloud_rate_ci", "accuracy_ci", "edge_error_ci")})
    except (KeyError, TypeError, ValueError, IndexError):
        return achieved
    return {**achieved, "held": held}
