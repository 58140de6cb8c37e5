#!/usr/bin/env python3
"""Makes every call of `tritonclient` that a server of the Open Inference Protocol should answer, over HTTP and gRPC, sync and async.

    tritonclient_calls.py --http 127.0.0.1:8000 --grpc 127.0.0.1:8001 --model ranker --input input --columns 2 --output sum

Prints one JSON object {call: "ok" or what went wrong}; exits 1 when any call went wrong or two answers to the same input differ.
"""

import argparse
import asyncio
import json
import queue
import sys

import numpy
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("http", "grpc", "model", "input", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--columns", type=int, required=True)
    return parser.parse_args()


class Calls:
    def __init__(self, options):
        self.options = options
        self.row = numpy.linspace(0.0, 1.0, options.columns, dtype=numpy.float32).reshape(1, -1)
        self.results = {}
        self.answers = []

    def record(self, name, call):
        try:
            self.results[name] = "ok" if call() is not False else "answered false"
        except Exception as error:  # noqa: BLE001: whatever a call raises is its result
            self.results[name] = f"{type(error).__name__}: {error}"

    def inputs(self, module, **how):
        tensor = module.InferInput(self.options.input, list(self.row.shape), "FP32")
        tensor.set_data_from_numpy(self.row, **how)
        return [tensor]

    def keep(self, result):
        answer = result.as_numpy(self.options.output)
        assert answer is not None and len(answer) == 1, result.get_response()
        self.answers.append(answer)

    def infer(self, module, client, binary=None, named=True, **how):
        form = {} if binary is None else {"binary_data": binary}
        outputs = [module.InferRequestedOutput(self.options.output, **form)] if named else None
        result = client.infer(self.options.model, self.inputs(module, **form), outputs=outputs, request_id="r-1", **how)
        response = result.get_response()
        assert (response["id"] if isinstance(response, dict) else response.id) == "r-1", "the request's id is not echoed"
        self.keep(result)

    def stream(self, module, client):
        answers = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        for _ in range(3):
            client.async_stream_infer(self.options.model, self.inputs(module))
        for _ in range(3):
            result, error = answers.get(timeout=10)
            if error:
                raise error
            self.keep(result)
        client.stop_stream()

    def wrong(self, module, client):
        tensor = module.InferInput(self.options.input, [1, 1], "FP64")
        tensor.set_data_from_numpy(numpy.zeros((1, 1)))
        try:
            client.infer(self.options.model, [tensor])
        except Exception as error:
            assert self.options.input in str(error), f"the error does not name the input: {error}"
        else:
            raise AssertionError("a malformed input was answered")

    def describe(self, protocol, client):
        model = self.options.model
        self.record(f"{protocol}.is_server_live", client.is_server_live)
        self.record(f"{protocol}.is_server_ready", client.is_server_ready)
        self.record(f"{protocol}.is_model_ready", lambda: client.is_model_ready(model))
        self.record(f"{protocol}.is_model_ready(version)", lambda: client.is_model_ready(model, "1"))
        self.record(f"{protocol}.is_model_ready(unknown)", lambda: not client.is_model_ready("nobody"))
        self.record(f"{protocol}.get_server_metadata", client.get_server_metadata)
        for call in ("get_model_metadata", "get_model_config", "get_inference_statistics"):
            self.record(f"{protocol}.{call}", lambda call=call: getattr(client, call)(model))
        self.record(f"{protocol}.get_inference_statistics(all)", client.get_inference_statistics)
        self.record(f"{protocol}.get_model_repository_index", client.get_model_repository_index)
        for call in ("get_trace_settings", "get_log_settings", "get_system_shared_memory_status", "get_cuda_shared_memory_status"):
            self.record(f"{protocol}.{call}", getattr(client, call))

    def http(self):
        module = tritonclient.http
        client = module.InferenceServerClient(self.options.http)
        self.describe("http", client)
        for form, how in {
            "json": {"binary": False},
            "binary": {"binary": True},
            "default": {"named": False},
            "gzip": {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"},
            "deflate": {"request_compression_algorithm": "deflate", "response_compression_algorithm": "deflate"},
        }.items():
            self.record(f"http.infer({form})", lambda how=how: self.infer(module, client, **how))
        self.record("http.infer(malformed)", lambda: self.wrong(module, client))

    def grpc(self):
        module = tritonclient.grpc
        client = module.InferenceServerClient(self.options.grpc)
        self.describe("grpc", client)
        self.record("grpc.infer", lambda: self.infer(module, client))
        self.record("grpc.infer(no outputs)", lambda: self.infer(module, client, named=False))
        for algorithm in ("gzip", "deflate"):
            self.record(f"grpc.infer({algorithm})", lambda how=algorithm: self.infer(module, client, compression_algorithm=how))
        self.record("grpc.stream_infer", lambda: self.stream(module, client))
        self.record("grpc.infer(malformed)", lambda: self.wrong(module, client))

    def asynchronous(self):
        async def call(module, address):
            client = module.InferenceServerClient(address)
            try:
                self.keep(await client.infer(self.options.model, self.inputs(module)))
            finally:
                await client.close()

        self.record("http.aio.infer", lambda: asyncio.run(call(tritonclient.http.aio, self.options.http)))
        self.record("grpc.aio.infer", lambda: asyncio.run(call(tritonclient.grpc.aio, self.options.grpc)))


def main():
    calls = Calls(arguments())
    calls.http()
    calls.grpc()
    calls.asynchronous()
    agree = bool(calls.answers) and all(numpy.array_equal(calls.answers[0], answer) for answer in calls.answers)
    calls.results["all answers agree"] = "ok" if agree else f"{calls.answers}"
    json.dump(calls.results, sys.stdout, indent=1)
    return 0 if all(result == "ok" for result in calls.results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
