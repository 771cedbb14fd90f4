"""How the pictures of a report look."""

from __future__ import annotations

STYLE = """
svg text { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.wide svg { max-width: none; }
svg .name { fill: var(--text); }
svg .small { font-size: 11.5px; }
svg .axis { fill: var(--quiet); font-size: 11px; }
svg .mid { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .box { fill: var(--card); stroke: var(--line); }
svg .fill { fill: var(--idle); }
svg .fill.succeeded { fill: var(--ok); }
svg .fill.failed, svg .fill.lost { fill: var(--bad); }
svg .fill.cancelled, svg .fill.skipped { fill: var(--warn); }
svg .fill.running { fill: var(--busy); }
svg .fill.unknown { fill: var(--odd); }
svg .span.pending { fill: var(--line); }
svg .edge { fill: none; stroke: var(--idle); stroke-width: 1.5; }
svg .afterany { stroke-dasharray: 6 4; }
svg .afternotok { stroke: var(--bad); stroke-dasharray: 2 4; }
.dot { opacity: .85; }
.curve { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
figure { margin: 0; }
figcaption { font-size: .88rem; font-weight: 560; overflow-wrap: anywhere; }
.plots { display: grid; gap: 1.6rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
.legend { font-size: .82rem; color: var(--quiet); overflow-wrap: anywhere; }
.key { margin-right: 1rem; }
.key::before { content: ""; display: inline-block; width: .9em; height: .22em;
  margin-right: .4em; vertical-align: middle; background: currentColor; }
.failure { background: var(--soft-bad); border-radius: 6px; padding: .8rem 1rem; margin: .6rem 0; }
.failure pre { background: none; padding: 0; }
""" + "".join(
    f".dot.c{n} {{ fill: var(--c{n}); }} .curve.c{n} {{ stroke: var(--c{n}); }}\n"
    f".key.c{n}::before {{ color: var(--c{n}); }}\n"
    for n in range(1, 7)
)
