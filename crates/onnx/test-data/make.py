"""Makes the ONNX graphs that tests load: `python make.py`. Each is the smallest that shows one thing.

Needs `onnx`; the files are checked in, so this runs only when one is to change.
"""

from pathlib import Path

from onnx import TensorProto as T
from onnx import checker, helper as h, save

HERE = Path(__file__).parent
OPSETS = [h.make_opsetid("", 17), h.make_opsetid("ai.onnx.ml", 3)]
ROWS = "rows"


def tensor(name, kind, *shape):
    return h.make_tensor_value_info(name, kind, [ROWS, *shape])


def write(name, nodes, inputs, outputs, constants=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(constants))
    model = h.make_model(graph, opset_imports=OPSETS, ir_version=8, producer_name="crosstie")
    checker.check_model(model)
    save(model, HERE / f"{name}.onnx")


# One matrix in, one out: softmax over two linear scores of four features.
weights = h.make_tensor("weights", T.FLOAT, [4, 2], [0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.4, -0.4])
linear = h.make_node("MatMul", ["input", "weights"], ["scores"])
write(
    "matrix",
    [linear, h.make_node("Softmax", ["scores"], ["probabilities"], axis=1)],
    [tensor("input", T.FLOAT, 4)],
    [tensor("probabilities", T.FLOAT, 2)],
    [weights],
)

# One input for each feature: score = clicks + code(country) + hour / 100.
hundredth = h.make_tensor("hundredth", T.FLOAT, [1], [0.01])
codes = h.make_node(
    "LabelEncoder", ["country"], ["code"], domain="ai.onnx.ml",
    keys_strings=["DE", "US"], values_floats=[10.0, 20.0], default_float=-1.0,
)
write(
    "features",
    [
        h.make_node("Cast", ["clicks"], ["clicks_float"], to=T.FLOAT),
        h.make_node("Cast", ["hour"], ["hour_float"], to=T.FLOAT),
        codes,
        h.make_node("Mul", ["hour_float", "hundredth"], ["hour_part"]),
        h.make_node("Sum", ["clicks_float", "code", "hour_part"], ["score"]),
    ],
    [tensor("clicks", T.INT64, 1), tensor("country", T.STRING, 1), tensor("hour", T.INT64, 1)],
    [tensor("score", T.FLOAT, 1)],
    [hundredth],
)

# What skl2onnx makes of a classifier: a label and, for each row, a map from class to probability.
for name, labels in (
    ("zipmap", {"classlabels_int64s": [0, 1]}),
    ("zipmap_strings", {"classlabels_strings": ["no", "yes"]}),
):
    key = h.make_tensor_type_proto(T.INT64 if name == "zipmap" else T.STRING, None).tensor_type.elem_type
    of_map = h.make_map_type_proto(key, h.make_tensor_type_proto(T.FLOAT, []))
    maps = h.make_value_info("output_probability", h.make_sequence_type_proto(of_map))
    write(
        name,
        [
            linear,
            h.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
            h.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
            h.make_node("ZipMap", ["probabilities"], ["output_probability"], domain="ai.onnx.ml", **labels),
        ],
        [tensor("input", T.FLOAT, 4)],
        [tensor("label", T.INT64), maps],
        [weights],
    )

# Every element type, as it came.
KINDS = {
    "bool": T.BOOL, "uint8": T.UINT8, "uint16": T.UINT16, "uint32": T.UINT32, "uint64": T.UINT64, "int8": T.INT8,
    "int16": T.INT16, "int32": T.INT32, "int64": T.INT64, "fp16": T.FLOAT16, "bf16": T.BFLOAT16, "fp32": T.FLOAT,
    "fp64": T.DOUBLE, "bytes": T.STRING,
}
write(
    "types",
    [h.make_node("Identity", [f"{kind}_in"], [f"{kind}_out"]) for kind in KINDS],
    [tensor(f"{kind}_in", code) for kind, code in KINDS.items()],
    [tensor(f"{kind}_out", code) for kind, code in KINDS.items()],
)

# Passes for most inputs and fails for some: looks `input` up in a table of three.
table = h.make_tensor("table", T.FLOAT, [3], [0.0, 0.5, 1.0])
write(
    "fails_above_two",
    [h.make_node("Gather", ["table", "input"], ["output"])],
    [tensor("input", T.INT64)],
    [tensor("output", T.FLOAT)],
    [table],
)

# Gives no tensor: a sequence of them.
pieces = h.make_value_info("pieces", h.make_sequence_type_proto(h.make_tensor_type_proto(T.FLOAT, None)))
write("sequence", [h.make_node("SplitToSequence", ["input"], ["pieces"])], [tensor("input", T.FLOAT)], [pieces])
