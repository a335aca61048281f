"""One connection to one's own node: gRPC over mutual TLS on loopback."""
import contextlib
import csv
import json
import pathlib
import tempfile
import tomllib

import grpc

from hefu_client import errors
from hefu_client.generated.hefu.control.v1 import control_pb2, control_pb2_grpc, dataset_pb2, dataset_pb2_grpc
from hefu_client.generated.hefu.v1 import common_pb2

DONE = ("SUCCEEDED", "FAILED", "CANCELLED", "REJECTED", "EXPIRED")
# A result of a million scores is one message.
LARGEST = 256 << 20


class Node:
    """Calls of the control side. Every one raises `Refused` where the node refuses it."""

    def __init__(self, channel, deadline):
        self._channel, self._deadline = channel, deadline
        self._nodes = control_pb2_grpc.NodeServiceStub(channel)
        self._datasets = dataset_pb2_grpc.DatasetServiceStub(channel)
        self._jobs = control_pb2_grpc.JobServiceStub(channel)
        self._models = control_pb2_grpc.ModelServiceStub(channel)

    @classmethod
    def connect(cls, config, deadline=30.0):
        """Opens the connection with the keys in the state folder of the node's TOML file.

        `deadline`: seconds for any one call but the waiting for a job."""
        config = pathlib.Path(config)
        files = tomllib.loads(config.read_text()).get("files", {})
        state = config.parent / files.get("state", "state")
        try:
            address = json.loads((state / "address.json").read_text())["control"]
        except FileNotFoundError:
            raise errors.unreachable(f"No address in {state}: the node has not been started.") from None
        ca, key, certificate = ((state / "keys" / name).read_bytes()
                                for name in ("control-ca.pem", "control-client.key", "control-client.pem"))
        options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.max_receive_message_length", LARGEST)]
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate), options)
        return cls(channel, deadline)

    def close(self):
        self._channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The node and its datasets.

    def status(self):
        """Party, version, addresses, resources: a GetStatusResponse."""
        return self._call(self._nodes.GetStatus, control_pb2.GetStatusRequest())

    def publish(self, name, path, key, label="", key_format="text", missing="error", **more):
        """Offers a CSV file on the node's machine to joint jobs; gives a Dataset message with its counts.

        `more`: other members of PublishDatasetRequest, such as schema, steward or period."""
        request = dataset_pb2.PublishDatasetRequest(
            name=name, path=str(pathlib.Path(path).resolve()), key=key, label=label, key_format=key_format,
            missing=missing, **more)
        return self._call(self._datasets.PublishDataset, request).dataset

    # Jobs.

    def submit(self, plan):
        """Submits a job, a dictionary as spec/schemas/job.schema.json has it; gives its id."""
        return self._call(self._jobs.SubmitJob, control_pb2.SubmitJobRequest(job_json=json.dumps(plan))).job

    def job(self, job):
        """State and progress: a Job message."""
        return self._call(self._jobs.GetJob, control_pb2.GetJobRequest(job=job)).job

    def wait(self, job, progress=None, timeout=None):
        """Follows a job to its end and gives its last Job message; raises `Failed` unless it succeeded.

        `progress` is called with every Job message; `timeout` in seconds: the job goes on in the node after it."""
        last = None
        with refusals():
            for message in self._jobs.WatchJob(control_pb2.WatchJobRequest(job=job), timeout=timeout):
                last = message.job
                if progress:
                    progress(last)
        last = last if last is not None and last.state in DONE else self.job(job)
        if last.state == "SUCCEEDED":
            return last
        if last.HasField("error"):
            raise errors.from_message(errors.Failed, last.error)
        raise errors.Failed(4007, "CANCELLED", f"The job ended as {last.state}.")

    def cancel(self, job):
        return self._call(self._jobs.CancelJob, control_pb2.CancelJobRequest(job=job)).job

    def result(self, job):
        """The result of a finished job as a dictionary."""
        return json.loads(self._call(self._jobs.GetResult, control_pb2.GetResultRequest(job=job)).result_json)

    # Models.

    def models(self):
        """Ids of the models of which this node has a part."""
        return list(self._call(self._models.ListModels, control_pb2.ListModelsRequest()).models)

    def model(self, model):
        """This node's part of a model as a dictionary."""
        return json.loads(self._call(self._models.GetModel, control_pb2.GetModelRequest(model=model)).model_json)

    def score(self, applicants, model, key, collaborators, purpose="origination", key_format="text",
              name="applicants", timeout=None):
        """Scores applicants with a joint model of this party: {key: probability of a bad outcome}.

        `applicants`: a list of dictionaries with the key and this party's columns of the model. An applicant that a
        party does not know has no entry, where the model was trained on matched rows. `collaborators`: {alias: dataset}
        in the model's order. `name`: the dataset that is published for it and replaced at every call; calls at the
        same time need different names."""
        trained = self.model(model)
        with tempfile.TemporaryDirectory(prefix="hefu-") as folder:
            path = pathlib.Path(folder) / "applicants.csv"
            write_rows(path, applicants)
            self.publish(name, path, key, key_format=key_format, missing=trained["missing_cells"])
            job = self.submit({
                "kind": "score", "dataset": name, "model": model, "purpose": purpose, "outputs": ["score"],
                "join": trained["join"], "missing": trained["missing_cells"],
                "collaborator": [{"party": party, "dataset": dataset} for party, dataset in collaborators.items()]})
            self.wait(job, timeout=timeout)
        return {row["key"]: row["probability"] for row in self.result(job)["scores"]}

    def _call(self, method, request):
        with refusals():
            return method(request, timeout=self._deadline)


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@contextlib.contextmanager
def refusals():
    """Turns a refused call into the error that its detail describes."""
    try:
        yield
    except grpc.RpcError as error:
        raise read_refusal(error) from None


def read_refusal(error):
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in details_of(value):
                return errors.from_message(errors.Refused, common_pb2.ErrorDetail.FromString(detail))
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return errors.unreachable(error.details() or "No answer.")
    return errors.Refused(7006, "INTERNAL", f"The node answered {error.code().name}: {error.details()}")


def details_of(status):
    """The values of the details of a google.rpc.Status: its field 3 holds Any messages, their field 2 the bytes."""
    return [value for field, any_ in fields(status) if field == 3 for inner, value in fields(any_) if inner == 2]


def fields(data):
    """(number, bytes) of every length-delimited field of a protocol buffer message; other ones are passed over."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 2:
            length = varint()
            yield tag >> 3, data[at:at + length]
            at += length
        elif tag & 7 == 0:
            varint()
        else:
            at += {1: 8, 5: 4}[tag & 7]
