"""Published numbers of FogGen (docs/glossary.md): another project's models on other questions. Shown in a report only with `--reference`."""

# Gemma-3-1B, R14, tau = 0.5, as published (percent): cloud only, edge only, random, system, cloud rate. No intervals are published.
PUBLISHED_GEMMA = {
    "finance": (69.5, 45.4, 53.3, 60.0, 32.8),
    "science": (72.7, 36.0, 59.1, 66.9, 62.9),
    "coding": (74.2, 49.6, 55.4, 60.6, 23.6),
    "law": (70.7, 45.4, 52.9, 60.0, 29.8),
    "math": (60.1, 29.3, 48.9, 51.6, 63.6),
    "kazakh": (95.8, 76.3, 79.4, 84.0, 16.0),
    "medical": (74.0, 39.3, 56.0, 63.1, 48.2),
    "mean": (73.9, 45.9, 57.9, 63.7, 39.5),
}
PUBLISHED_QWEN = "Published means of Qwen3-0.6B, R14 (no numbers per domain): edge 59.6, system 67.8, routed 21.9, lift +4.6."
