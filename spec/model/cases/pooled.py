"""Pooled statistics, Newton's method on sums, bins, and averages of models (pooled.md)."""
import pooled as p
import aggregate as a
from cases import COUNT, DECIMAL, Kind, TEXT, array, bad, good, hex_of, nothing_or, record
from cases.aggregate import number, real
from conventions import Stream
from draws import fixed

# Ten digits after the point.
DIGITS = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{10}$"}


def digits(x):
    """Ten digits after the point; no negative zero."""
    text = f"{x:.10f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


# Newton's method.

def run_newton(given):
    d = given["columns"]
    parts = [[(row[0], row[1:]) for row in part] for part in given["participants"]]
    for rows in parts:
        p.check_cells(rows, given["missing"])
    found = p.fit(parts, d, float(given["lambda"]), given["max_rounds"], given["few_rows"])
    return {"rows": found["n"], "positive": found["positive"], "present": found["present"],
            "sum": [str(int(x)) for x in found["sum"]], "mean": list(map(digits, found["mean"])),
            "deviation": list(map(digits, found["deviation"])),
            "coefficients": list(map(digits, found["coefficients"])), "intercept": digits(found["intercept"]),
            "objective": digits(found["objective"]), "rounds": found["rounds"]}


def rows_of(label, count, d, empty=0):
    """Small integers, with a label that leans on the first and the last column."""
    stream, out = Stream(fixed(label, 16)), []
    for i in range(count):
        cells = [stream.u64() % 19 - 9 for _ in range(d)]
        positive = 2 * cells[0] - cells[-1] + stream.u64() % 41 - 20 > 6
        out.append([int(positive), *(None if empty and (i + j) % empty == 0 else x for j, x in enumerate(cells))])
    return out


def heavy_tails():
    """Three participants of eight rows, some of them far out, on which the full step once goes too far."""
    stream, parts = Stream(fixed("h83", 16)), []
    for _ in range(3):
        rows = []
        for _ in range(8):
            x = [stream.u64() % 2001 - 1000 if stream.u64() % 6 == 0 else stream.u64() % 5 - 2 for _ in range(2)]
            leans = stream.u64() % 8
            label = x[0] + x[1] // 3 + stream.u64() % 7 - 3 > 0 if leans else stream.u64() % 2
            rows.append([int(label), *x])
        parts.append(rows)
    return parts


def newton_cases():
    def given(parts, columns, penalty=1, rounds=12, missing="error", few_rows=False):
        return {"columns": columns, "lambda": str(penalty), "max_rounds": rounds, "missing": missing,
                "few_rows": few_rows, "participants": parts}

    three = [rows_of(f"participant {i}", 10 + 3 * i, 2) for i in range(3)]
    few = [rows_of(f"few 0 {i}", 6, 2) for i in range(3)]
    yield good("two_columns", "Three participants, two columns", "POOL-4", given(three, 2))
    yield good("no_penalty", "λ = 0", "", given(three, 2, 0))
    gaps = [rows_of(f"participant {i}", 10 + 3 * i, 3, empty=7) for i in range(4)]
    yield good("empty_cells", "Empty cells are the mean, in the deviation too", "POOL-6",
               given(gaps, 3, missing="mean"))
    yield good("few_rows", "Fewer than 10·d rows, and the job permits it", "POOL-3",
               given(few, 2, few_rows=True))
    outlier = [[[1, 60, 0], *three[0]], *three[1:]]
    yield good("outlier", "A row far out", "", given(outlier, 2, "0.01"))
    yield good("halved", "A step that makes the objective grow is halved", "", given(heavy_tails(), 2, "0.001", 20))
    yield bad("few_rows", "Fewer than 10·d rows", "POOL-3", given(few, 2), "TOO_FEW_ROWS")
    yield bad("constant", "A column that is constant over all participants", "POOL-3",
              given([[[*row[:2], 7] for row in rows] for rows in three], 2), "CONSTANT_COLUMN")
    yield bad("empty_column", "A column without a cell", "POOL-3",
              given([[[*row[:2], None] for row in rows] for rows in three], 2, missing="mean"), "CONSTANT_COLUMN")
    yield bad("one_class", "No positive row", "POOL-3", given([[[0, *row[1:]] for row in rows] for rows in three], 2),
              "ONE_CLASS")
    yield bad("rounds", "Separable without a penalty: coefficients without bound", "POOL-4",
              given([[[int(row[1] > 0), *row[1:]] for row in rows] for rows in three], 2, 0, rounds=6),
              "TOO_MANY_ROUNDS")
    yield bad("empty_cell", "An empty cell where the plan says error", "POOL-6", given(gaps, 3), "EMPTY_CELL")


# Bins.

def run_woe(given):
    woe, iv = p.weights_of_evidence([tuple(b) for b in given["bins"]])
    return {"woe": list(map(digits, woe)), "iv": digits(iv)}


def woe_cases():
    yield good("two", "10 bad of 100, 40 bad of 100", "", {"bins": [[90, 10], [60, 40]]})
    yield good("duration", "germancredit, duration_in_month at 8, 16, 34, 44: [good, bad]", "",
               {"bins": [[78, 9], [264, 80], [270, 129], [58, 42], [30, 40]]})
    yield good("no_bad", "A bin without a bad row", "", {"bins": [[50, 0], [100, 20], [80, 40]]})
    yield good("no_good", "A bin without a good row", "", {"bins": [[0, 7], [93, 20]]})
    yield good("one", "One bin says nothing", "", {"bins": [[90, 10]]})


def run_bins(given):
    low, width = number(given["low"]), number(given["width"])
    found = p.binned(given["good"], given["bad"], low, width, given["bins"], given["minimum"])
    return {"edges": list(map(digits, found["edges"])), "good": found["good"], "bad": found["bad"],
            "woe": list(map(digits, found["woe"])), "iv": digits(found["iv"])}


def bins_cases():
    def given(good_, bad_, bins=5, low=-8.0, width=0.5, minimum=0):
        return {"low": real(low), "width": real(width), "good": good_, "bad": bad_, "bins": bins, "minimum": minimum}

    stream = Stream(fixed("buckets", 16))
    hill = [max(0, 60 - (i - 16) ** 2 // 4) for i in range(32)]
    spread = [h + stream.u64() % 7 if h else 0 for h in hill]
    risky = [min(h, h * (40 - i) // 60 + stream.u64() % 3) for i, h in enumerate(spread)]
    safe = [h - b for h, b in zip(spread, risky)]
    yield good("five", "32 buckets into at most five bins", "AGG-27", given(safe, risky))
    yield good("eight", "At most eight bins", "AGG-27", given(safe, risky, bins=8))
    yield good("minimum", "The job keeps no cell below 40 rows", "AGG-27", given(safe, risky, minimum=40))
    yield good("classes", "A bin waits for five rows of each class", "",
               given([60, 60, 60, 60, 60], [1, 2, 2, 9, 7], bins=5))
    yield good("exact", "Bins of exactly a fifth of the rows", "", given([90, 80, 70, 60, 50], [10, 20, 30, 40, 50]))
    yield good("rest", "What is left at the end is a bin of its own, with fewer rows than the others", "",
               given([90, 90, 45], [10, 10, 6], bins=3))
    yield good("rest_small", "What is left at the end is too little for a bin, and joins the last one", "",
               given([90, 90, 40], [10, 10, 8], bins=3))
    yield good("rest_classes", "What is left at the end has four bad rows, and joins the last bin", "",
               given([90, 90, 60], [10, 10, 4], bins=3))
    yield good("single", "Fewer than 50 rows: one bin", "", given([10, 10, 8], [6, 6, 8]))
    yield bad("few", "Fewer than five rows in the whole column", "AGG-27", given([1, 1], [1, 0]), "TOO_FEW_ROWS")


def run_buckets(given):
    low, width = p.bucket_bounds(number(given["mean"]), number(given["deviation"]), given["buckets"])
    rows = [(label, [None if x is None else number(x)]) for label, x in given["rows"]]
    good_, bad_ = p.histogram(rows, 0, low, width, given["buckets"])
    return {"low": real(low), "width": real(width), "good": good_, "bad": bad_}


def buckets_cases():
    def given(mean, deviation, buckets, rows):
        return {"mean": real(mean), "deviation": real(deviation), "buckets": buckets,
                "rows": [[label, None if x is None else real(x)] for label, x in rows]}

    edges = [(0, -8.0), (1, -7.0), (0, -7.000000000000001), (0, 0.0), (1, -0.0), (1, 7.0), (0, 7.999999999999999)]
    yield good("edges", "An edge belongs to the bucket on its right", "", given(0.0, 2.0, 16, edges))
    yield good("outside", "Values outside fall in the first or last bucket", "",
               given(10.0, 1.0, 8, [(0, -1e300), (1, 5.9), (0, 14.0), (1, 14.5), (1, 1e300)]))
    yield good("empty", "An empty cell is in none", "", given(10.0, 1.0, 8, [(0, None), (1, 10.0), (1, None)]))


# FedAvg.

def run_update(given):
    scale, clip = a.check_clip(a.FIXED, given["clip"], given["participants"]), given["clip"]
    parts = [p.update_elements(part["weight"], [[number(x) for x in tensor] for tensor in part["tensors"]], scale, clip)
             for part in given["parts"]]
    mean = p.averaged([part["weight"] for part in given["parts"]], parts, scale)
    return {"elements": [[[str(e) for e in tensor] for tensor in part] for part in parts],
            "mean": [[digits(x) for x in tensor] for tensor in mean]}


def update_cases():
    def given(clip, *parts):
        return {"clip": clip, "participants": 3,
                "parts": [{"weight": w, "tensors": [[real(x) for x in t] for t in tensors]} for w, tensors in parts]}

    yield good("two_tensors", "Three participants of 600, 400 and 1,000 rows", "",
               given(13, (600, [[0.5, -1.25], [0.1]]), (400, [[0.25, 2.0], [-0.1]]), (1000, [[-0.5, 0.0], [0.3]])))
    yield bad("beyond", "Weight times value is beyond the clip", "AGG-10",
              given(10, (600, [[0.5]]), (400, [[2.75]]), (1000, [[1.0]])), "BEYOND_CLIP")


ROW = {"type": "array", "items": nothing_or({"type": "integer"})}
LABELLED = {"type": "array", "prefixItems": [COUNT, nothing_or(hex_of(8))], "minItems": 2, "items": False}
KINDS = [
    Kind("pooled_newton",
         "The fit of all participants' rows; a row is its label and its cells (null: empty). λ is decimal. Sums are "
         "exact; the rest may differ by 1e-9.",
         record(columns=COUNT, **{"lambda": TEXT}, max_rounds=COUNT, missing=TEXT, few_rows={"type": "boolean"},
                participants=array(array(ROW))),
         record(rows=COUNT, positive=COUNT, present=array(COUNT), sum=array(DECIMAL), mean=array(DIGITS),
                deviation=array(DIGITS), coefficients=array(DIGITS), intercept=DIGITS, objective=DIGITS, rounds=COUNT),
         run_newton, newton_cases),
    Kind("pooled_woe", "WOE and IV of bins, [good, bad] each, to 1e-9.", record(bins=array(array(COUNT))),
         record(woe=array(DIGITS), iv=DIGITS), run_woe, woe_cases),
    Kind("pooled_bins",
         "A column's bins from its summed histogram: small cells merged, then binned. `edges` are the lower edges of "
         "all bins but the first; reals to 1e-9.",
         record(low=hex_of(8), width=hex_of(8), good=array(COUNT), bad=array(COUNT), bins=COUNT, minimum=COUNT),
         record(edges=array(DIGITS), good=array(COUNT), bad=array(COUNT), woe=array(DIGITS), iv=DIGITS), run_bins,
         bins_cases),
    Kind("pooled_buckets", "One participant's histogram of a column; a row is its label and its cell.",
         record(mean=hex_of(8), deviation=hex_of(8), buckets=COUNT, rows=array(LABELLED)),
         record(low=hex_of(8), width=hex_of(8), good=array(COUNT), bad=array(COUNT)), run_buckets, buckets_cases),
    Kind("pooled_update", "Statistic `update`: every participant's ring elements, and the new model to 1e-9.",
         record(clip=COUNT, participants=COUNT,
                parts=array(record(weight=COUNT, tensors=array(array(hex_of(8)))))),
         record(elements=array(array(array(DECIMAL))), mean=array(array(DIGITS))), run_update, update_cases),
]
