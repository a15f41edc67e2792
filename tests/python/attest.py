"""A second opinion on signed statements, by securesystemslib and in-toto-attestation. Offline.

    attest.py verify BUNDLE PUBLIC.pem     every DSSE signature of a bundle, and every statement, typed where it can be
    attest.py sign PRIVATE.pem PAYLOAD     an envelope around these bytes, on standard output, pretty-printed
    attest.py sign-compact …               the same on one line without spaces
    attest.py pae BUNDLE FOLDER            writes 0.pae, 0.sig, 0.json, … of a bundle's envelopes: bytes, signature, payload
"""

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def envelopes(bundle):
    return [Envelope.from_dict(json.loads(line)) for line in Path(bundle).read_text().splitlines()]


def check_provenance(predicate):
    message = json_format.ParseDict(predicate, provenance_pb2.Provenance())
    definition, details = message.build_definition, message.run_details
    assert definition.build_type and definition.external_parameters.fields, "buildType and externalParameters are required"
    assert details.builder.id, "builder.id is required"
    assert details.metadata.started_on.ToSeconds() <= details.metadata.finished_on.ToSeconds()
    assert definition.resolved_dependencies and details.byproducts
    for descriptor in [*definition.resolved_dependencies, *details.byproducts]:
        ResourceDescriptor.copy_from_pb(descriptor).validate()


def check_test_result(predicate):
    message = json_format.ParseDict(predicate, test_result_pb2.TestResult())
    assert message.result in ("PASSED", "WARNED", "FAILED"), message.result
    assert message.passed_tests and message.configuration
    for descriptor in message.configuration:
        ResourceDescriptor.copy_from_pb(descriptor).validate()


def check_summary(predicate):
    # The specification says that it is an array; this version of the package has a single string there.
    levels = predicate.pop("verifiedLevels")
    assert levels and all(isinstance(level, str) and not level.startswith("SLSA_") for level in levels), levels
    message = json_format.ParseDict(predicate, vsa_pb2.VerificationSummary())
    assert message.verification_result in ("PASSED", "FAILED")
    assert message.verifier.id and message.resource_uri and message.policy.uri and message.time_verified.ToSeconds()
    assert all(attestation.digest for attestation in message.input_attestations)


CHECKS = {
    "urn:x-spectramind:training-run:v2": lambda predicate: None,
    "urn:x-spectramind:replay-verdict:v1": lambda predicate: None,
    "https://slsa.dev/provenance/v1": check_provenance,
    "https://in-toto.io/attestation/test-result/v0.1": check_test_result,
    "https://slsa.dev/verification_summary/v1": check_summary,
}


def verify(bundle, public):
    key = SSlibKey.from_crypto(load_pem_public_key(Path(public).read_bytes()))
    for envelope in envelopes(bundle):
        assert envelope.payload_type == PAYLOAD_TYPE, envelope.payload_type
        # Finds a signature by key id: ours are theirs.
        envelope.verify([key], threshold=1)
        parsed = json_format.Parse(envelope.payload, statement_pb2.Statement())
        statement = Statement.copy_from_pb(parsed)
        statement.validate()
        assert all(list(subject.digest) == ["sha256"] for subject in statement.pb.subject)
        CHECKS[statement.pb.predicate_type](json.loads(envelope.payload)["predicate"])
        print(statement.pb.predicate_type, len(statement.pb.subject))


def sign(private, payload, **how):
    signer = CryptoSigner(load_pem_private_key(Path(private).read_bytes(), None))
    envelope = Envelope(Path(payload).read_bytes(), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    print(json.dumps(envelope.to_dict(), **how))


def pae(bundle, folder):
    for index, envelope in enumerate(envelopes(bundle)):
        (signature,) = envelope.signatures.values()
        for suffix, content in [
            ("pae", envelope.pae()),
            ("sig", bytes.fromhex(signature.signature)),
            ("json", envelope.payload),
        ]:
            (Path(folder) / f"{index}.{suffix}").write_bytes(content)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    match command:
        case "verify":
            verify(*arguments)
        case "sign":
            sign(*arguments, indent=2)
        case "sign-compact":
            sign(*arguments, separators=(",", ":"))
        case "pae":
            pae(*arguments)
        case _:
            sys.exit(__doc__)
