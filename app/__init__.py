"""FogGate: a self-aware edge-cloud gateway for multiple-choice questions."""

__version__ = "0.1.0"
