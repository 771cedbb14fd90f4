"""How our pages look: calm, light or dark as the reader's system is, and on paper."""

from __future__ import annotations

_LIGHT = """
  color-scheme: light;
  --page: #ffffff; --card: #f6f7f9; --text: #1c2127; --quiet: #56606b; --line: #dde1e6;
  --link: #0b57c2; --ok: #17733a; --bad: #b3261e; --warn: #855400; --busy: #0b57c2;
  --idle: #69737e; --odd: #7b3fa0; --soft-bad: #fdf0ef; --plus: #e6f4ea; --minus: #fdeceb;
  --c1: #2f6fd0; --c2: #b4541a; --c3: #2b8457; --c4: #8a4bb8; --c5: #a8324e; --c6: #0f7f8c;
"""
_DARK = """
  color-scheme: dark;
  --page: #12161b; --card: #1a2027; --text: #e3e7eb; --quiet: #9ca7b2; --line: #2e363f;
  --link: #7fb2ff; --ok: #5fc987; --bad: #ff8f86; --warn: #e3b04f; --busy: #7fb2ff;
  --idle: #96a1ac; --odd: #cd9bea; --soft-bad: #2b1b1c; --plus: #163524; --minus: #3b1f20;
  --c1: #78a9f7; --c2: #e8955c; --c3: #65c796; --c4: #c194e6; --c5: #f0859d; --c6: #5bc4cf;
"""

STYLE = f"""
:root {{{_LIGHT}}}
@media (prefers-color-scheme: dark) {{ :root {{{_DARK}}} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; }}
body {{
  margin: 0 auto; padding: 2.5rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 76rem;
  background: var(--page); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word;
}}
h1 {{ font-size: 1.65rem; line-height: 1.25; font-weight: 620; margin: 0 0 .5rem; }}
h2 {{ font-size: 1.12rem; font-weight: 620; margin: 2.75rem 0 .9rem; padding-bottom: .35rem;
  border-bottom: 1px solid var(--line); }}
h3 {{ font-size: 1rem; font-weight: 620; margin: 1.6rem 0 .6rem; }}
h4 {{ font-size: .93rem; font-weight: 620; margin: 1.2rem 0 .4rem; }}
h1, h2, h3, h4, p, summary, dd {{ overflow-wrap: anywhere; }}
p {{ margin: .5rem 0; }}
a {{ color: var(--link); text-underline-offset: .15em; text-decoration-thickness: 1px; }}
:focus-visible {{ outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px; }}
code, pre, kbd, .mono {{ font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas,
  "DejaVu Sans Mono", "Noto Sans Mono", monospace; }}
code, .mono {{ font-size: .88em; overflow-wrap: anywhere; }}
pre {{ margin: .5rem 0; padding: .8rem 1rem; background: var(--card); border-radius: 6px;
  font-size: .82rem; line-height: 1.5; overflow-x: auto; tab-size: 8; }}
.wide {{ overflow-x: auto; margin: .5rem 0; }}
table {{ border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; color: var(--quiet); padding: 0 0 .4rem; font-size: .88rem; }}
th, td {{ padding: .32rem 1.4rem .32rem 0; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--line); max-width: 34rem; }}
thead th {{ color: var(--quiet); font-weight: 500; font-size: .86rem; white-space: nowrap; }}
tbody th {{ font-weight: 500; }}
.n {{ text-align: right; }}
dl {{ margin: .6rem 0; display: grid; gap: .3rem 0; }}
dl > div {{ display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: 1rem; }}
dt {{ color: var(--quiet); }}
dd {{ margin: 0; }}
details {{ margin: .35rem 0; }}
summary {{ cursor: pointer; padding: .2rem 0; }}
.note, footer {{ color: var(--quiet); font-size: .88rem; }}
footer {{ margin-top: 3.5rem; padding-top: .8rem; border-top: 1px solid var(--line); }}
.state {{ font-weight: 560; color: var(--idle); }}
.state::before {{ content: ""; display: inline-block; width: .55em; height: .55em;
  margin-right: .45em; border-radius: 50%; background: currentColor; }}
.succeeded {{ color: var(--ok); }}
.failed, .lost {{ color: var(--bad); }}
.cancelled, .skipped {{ color: var(--warn); }}
.running {{ color: var(--busy); }}
.unknown {{ color: var(--odd); }}
svg {{ display: block; max-width: 100%; height: auto; }}
@media (max-width: 34rem) {{
  body {{ padding-top: 1.5rem; }}
  dl > div {{ grid-template-columns: 1fr; gap: 0; margin-bottom: .35rem; }}
}}
@media print {{
  :root {{{_LIGHT}}}
  body {{ max-width: none; padding: 0; font-size: 10.5pt; }}
  pre {{ white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); }}
  .wide {{ overflow: visible; }}
  h2, h3, h4, summary {{ break-after: avoid; }}
  svg, tr, figure {{ break-inside: avoid; }}
  thead {{ display: table-header-group; }}
  a {{ color: inherit; text-decoration: none; }}
}}
"""
"""Rules of style; colours are ``--text``, ``--quiet``, ``--ok``, ``--bad``, ``--plus``, … ."""
