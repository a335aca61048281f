"""The data dictionary as one page of HTML that needs nothing from outside."""
import html

DOMAINS = {
    "business_registration": ("Business registration", "工商登记"),
    "social_insurance": ("Social insurance", "社会保险"),
    "utilities": ("Utilities", "水电气"),
    "tax": ("Tax", "税务"),
    "invoices": ("Invoices", "发票"),
    "real_estate": ("Real estate", "不动产"),
    "patents": ("Patents", "专利"),
    "subsidies": ("Subsidies", "补助"),
    "judicial_penalty": ("Courts and penalties", "司法与处罚"),
    "customs": ("Customs", "海关"),
    "bank": ("Bank", "银行"),
}
STYLE = """
:root { color-scheme: light; --ink: #1b2430; --soft: #5c6a79; --line: #d9e0e7; --tint: #f4f7fa; --mark: #0b6e6e; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC",
  "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei", sans-serif; }
header, main { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { margin: 0; font-size: 26px; } h1 small { color: var(--soft); font-weight: 400; }
p { margin: 6px 0; max-width: 75ch; color: var(--soft); }
.tools { padding: 12px 0; background: #fff; border-bottom: 1px solid var(--line); }
input { width: min(480px, 100%); padding: 8px 12px; font: inherit; border: 1px solid #9aa8b5; border-radius: 6px; }
input:focus-visible, a:focus-visible { outline: 3px solid #7fc4c4; outline-offset: 1px; }
output { margin-left: 12px; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: 6px 14px; margin: 10px 0 0; font-size: 14px; }
a { color: var(--mark); }
section { margin: 28px 0; scroll-margin-top: 180px; }
h2 { margin: 0; font-size: 19px; } h2 code { font-size: 14px; color: var(--soft); font-weight: 400; margin-left: 6px; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; margin-top: 8px; font-size: 14px; }
th { text-align: left; font-weight: 600; background: var(--tint); white-space: nowrap; }
th, td { padding: 6px 8px; border-bottom: 1px solid var(--line); vertical-align: top; }
td small { display: block; color: var(--soft); } code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
td code { white-space: nowrap; } td.codes code { white-space: normal; overflow-wrap: anywhere; }
.level { display: inline-block; min-width: 24px; padding: 0 6px; border-radius: 4px; text-align: center;
  background: var(--tint); border: 1px solid var(--line); }
.level3 { background: #fdf3dc; border-color: #e5c87e; } .level4 { background: #fbe3df; border-color: #dc9a8e; }
[hidden] { display: none !important; }
@media (min-width: 900px) and (min-height: 600px) { .tools { position: sticky; top: 0; z-index: 2; } }
@media print { .tools { display: none; } section { break-inside: avoid; } }
"""
SCRIPT = """
const box = document.querySelector("input"), count = document.querySelector("output");
function search() {
  const words = box.value.trim().toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const section of document.querySelectorAll("section")) {
    const about = section.querySelector("h2").textContent.toLowerCase();
    let here = 0;
    for (const row of section.querySelectorAll("tbody tr")) {
      const text = about + " " + row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      here += !row.hidden;
    }
    section.hidden = here === 0;
    shown += here;
  }
  count.textContent = shown + " fields · 个字段";
}
box.addEventListener("input", search);
search();
"""


def text(value):
    return html.escape(value, quote=True)


def both(en, zh):
    return text(en) + (f"<small lang=\"zh-Hans\">{text(zh)}</small>" if zh and zh != en else "")


def row(field, part):
    codes = [c for c in part.get("enum", []) if c is not None]
    allowed = " ".join(f"<code>{text(c)}</code>" for c in codes)
    if not allowed:
        allowed = text(part.get("x-code-list", ""))
    null = ("no", "否") if field["nullable"] == "no" else ("yes", "是")
    rule = both(field["constraint_en"], field["constraint_zh"])
    if field["constraint_en"].startswith("^"):
        rule = f"<code>{text(field['constraint_en'])}</code>"
    level = field["jrt0197_level"]
    personal = "<small>personal · 个人信息</small>" if field["pi_class"] == "pi" else ""
    cells = [
        ("", f"<code>{text(field['field'])}</code>"),
        ("", both(field["name_en"], field["name_zh"])),
        ("", f"<code>{text(field['type'])}</code>" + (f"<small>{text(field['unit'])}</small>" if field["unit"] else "")),
        ("", both(*null)),
        (" class=\"codes\"", allowed),
        ("", rule),
        ("", f"<span class=\"level level{level}\">{level}</span>{personal}"),
    ]
    return "<tr>" + "".join(f"<td{kind}>{content}</td>" for kind, content in cells) + "</tr>"


def section(name, fields, schema):
    first = fields[0]
    domain = DOMAINS[first["domain"]]
    heads = [("Field", "字段"), ("Name", "名称"), ("Type, unit", "类型、单位"), ("Empty", "可空"), ("Codes", "代码"),
             ("Rule", "约束"), ("Level", "级别")]
    head = "".join(f"<th scope=\"col\">{en} {zh}</th>" for en, zh in heads)
    body = "\n".join(row(field, schema["properties"][field["field"]]) for field in fields)
    key = " + ".join(f"<code>{text(k)}</code>" for k in first["grain_key"].split(" "))
    derived = " ".join(f"<code>{text(feature)}</code>" for feature in schema["x-derived"])
    return f"""<section id="{name}">
<h2>{text(first['table_en'])} <span lang="zh-Hans">{text(first['table_zh'])}</span> <code>{name}</code></h2>
<p>{text(domain[0])} {text(domain[1])} · {text(first['grain_en'])} <span lang="zh-Hans">{text(first['grain_zh'])}</span></p>
<p>key 主键 {key}</p>
<p>derived features, one row an enterprise 衍生特征（每企业一行）{derived}</p>
<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table></div>
</section>
"""


def page(tables, schemas):
    links = "\n".join(
        f"<a href=\"#{name}\">{text(fields[0]['table_en'])} <span lang=\"zh-Hans\">{text(fields[0]['table_zh'])}</span></a>"
        for name, fields in tables.items()
    )
    sections = "".join(section(name, fields, schemas[name]) for name, fields in tables.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hefu data dictionary · 数据字典</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>Hefu data dictionary <small lang="zh-Hans">数据字典</small></h1>
<p>Twelve tables that agencies and banks keep about enterprises. Levels are those of JR/T 0197, as proposed defaults.
Each table has a JSON Schema; <code>hefu data check FILE --schema TABLE</code> checks a file against it.</p>
<p lang="zh-Hans">机构和银行关于企业的十二张表。级别按 JR/T 0197，为建议的默认值。每张表有一份 JSON Schema，可用 <code>hefu data check FILE --schema TABLE</code> 校验文件。</p>
</header>
<main>
<div class="tools">
<input type="search" aria-label="Search · 搜索" placeholder="Search fields, names, codes · 搜索字段、名称、代码">
<output></output>
<nav>
{links}
</nav>
</div>
{sections}</main>
<script>{SCRIPT}</script>
</body>
</html>
"""
