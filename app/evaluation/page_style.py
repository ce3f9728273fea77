"""The style of the page of `foggate tune`: light and dark by the reader's scheme, on a screen and in print. No address stands in it."""

STYLE = """
:root { color-scheme: light dark; --paper: #fcfcfb; --ink: #1d1f22; --soft: #5d636b; --line: #dcdfe3; --card: #f2f4f6;
  --curve: #0b61a4; --band: #0b61a433; --random: #7a818a; --chosen: #c2410c; --warn: #fdf1dc; --warn-line: #d9a441; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171a; --ink: #e8eaed; --soft: #a3abb5; --line: #353a41; --card: #1f2328;
  --curve: #6cb6ff; --band: #6cb6ff33; --random: #8d96a1; --chosen: #ff9a5c; --warn: #33290f; --warn-line: #a97d23; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 54rem; padding: 2rem 1.2rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
.soft, caption { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: .7rem; margin: 1.2rem 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles span { display: block; font-size: .85rem; color: var(--soft); }
.finding { border-left: .3rem solid var(--warn-line); background: var(--warn); padding: .7rem 1rem; border-radius: .3rem; }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 34rem; height: auto; }
svg text { fill: var(--ink); font: 14px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
svg .tick, svg .axis { fill: var(--soft); font-size: 13px; }
svg .label { font-weight: 600; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
svg .grid { stroke: var(--line); }
svg .band { fill: var(--band); }
svg .curve { fill: none; stroke: var(--curve); stroke-width: 2.5; }
svg .random { stroke: var(--random); stroke-width: 1.5; stroke-dasharray: 6 5; }
svg .hover { fill: transparent; }
svg .bar { stroke: var(--chosen); stroke-width: 2; }
svg .chosen { fill: var(--chosen); stroke: var(--paper); stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; padding: 0; margin: .4rem 0 0; list-style: none; font-size: .9rem; }
.legend i { display: inline-block; width: 1.6rem; height: .7rem; margin-right: .45rem; vertical-align: -.05rem; }
.legend .k-curve { border-top: .18rem solid var(--curve); height: .2rem; vertical-align: .2rem; }
.legend .k-band { background: var(--band); }
.legend .k-random { border-top: .14rem dashed var(--random); height: .2rem; vertical-align: .2rem; }
.legend .k-chosen { background: var(--chosen); width: .8rem; height: .8rem; border-radius: 50%; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem; }
caption { text-align: left; padding-bottom: .4rem; font-size: .9rem; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
th { white-space: normal; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
thead th { font-weight: 600; border-bottom-color: var(--soft); }
tr.here td { font-weight: 600; }
pre { background: var(--card); border-radius: .4rem; padding: .7rem .9rem; overflow-x: auto; margin: .3rem 0 1rem; font-size: .9rem; }
@media print { body { max-width: none; } .finding, .tiles li, pre { print-color-adjust: exact; } }
"""
