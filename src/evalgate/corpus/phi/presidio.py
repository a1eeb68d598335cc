"""Presidio as a second opinion: its pattern recognisers one by one, and a spaCy model where the environment holds one.

No engine, no registry and no configuration of Presidio's is used, so nothing of it can fetch a model or call a service:
recognisers are named here, a model is loaded from an installed package only, and addresses are split by the list of
suffixes that tldextract ships. Extra `phi`.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evalgate.corpus.phi.finding import MODEL, PRESIDIO, Finding
from evalgate.errors import UsageError

_US = "presidio_analyzer.predefined_recognizers.country_specific.us"
_GENERIC = "presidio_analyzer.predefined_recognizers.generic"
_RECOGNISERS = {
    f"{_GENERIC}.credit_card_recognizer:CreditCardRecognizer": "ACCOUNT",
    f"{_GENERIC}.crypto_recognizer:CryptoRecognizer": "ACCOUNT",
    f"{_GENERIC}.email_recognizer:EmailRecognizer": "EMAIL",
    f"{_GENERIC}.iban_recognizer:IbanRecognizer": "ACCOUNT",
    f"{_GENERIC}.ip_recognizer:IpRecognizer": "IP",
    f"{_GENERIC}.mac_recognizer:MacAddressRecognizer": "OTHER_ID",
    f"{_GENERIC}.phone_recognizer:PhoneRecognizer": "PHONE",
    f"{_GENERIC}.url_recognizer:UrlRecognizer": "URL",
    f"{_GENERIC}.uuid_recognizer:UuidRecognizer": "OTHER_ID",
    f"{_US}.medical_license_recognizer:MedicalLicenseRecognizer": "OTHER_ID",
    f"{_US}.us_health_insurance_member_id_recognizer:UsHealthInsuranceMemberIdRecognizer": "MEMBER_ID",
    f"{_US}.us_healthcare_admin_recognizers:UsClaimNumberRecognizer": "CLAIM_NUMBER",
    f"{_US}.us_healthcare_admin_recognizers:UsPrescriptionNumberRecognizer": "OTHER_ID",
    f"{_US}.us_healthcare_admin_recognizers:UsPriorAuthorizationNumberRecognizer": "OTHER_ID",
    f"{_US}.us_itin_recognizer:UsItinRecognizer": "SSN",
    f"{_US}.us_mbi_recognizer:UsMbiRecognizer": "MEMBER_ID",
    f"{_US}.us_npi_recognizer:UsNpiRecognizer": "NPI",
    f"{_US}.us_ssn_recognizer:UsSsnRecognizer": "SSN",
}
"""Of the generic and US recognisers those that look at a text alone. Its dates are left out: a bare date is nobody's here."""

_LEAST = 0.4
"""Presidio's score below which a pattern without words beside it is a guess."""

_LONGEST = 100_000
"""Characters that a spaCy model is given at once; longer texts are read in pieces that end at a blank."""


class Presidio:
    """A detector (`Scanner(more=[...])`). `model`: the import name of an installed package with a spaCy model, "" for none."""

    def __init__(self, model: str = "") -> None:
        """Loads recognisers and model. Raises UsageError (EG884) where a package is absent; nothing is ever fetched."""
        try:
            found = [(_recogniser(name), type_) for name, type_ in _RECOGNISERS.items()]
            self.identity = f"presidio {version('presidio-analyzer')} {model}"
        except (ImportError, PackageNotFoundError) as e:
            raise _absent("presidio-analyzer", "evalgate-release[phi]") from e
        self._recognisers = found
        self._nlp: Any = None
        if model:
            try:
                self._nlp = importlib.import_module(model).load(exclude=["parser", "lemmatizer"])
            except (ImportError, AttributeError, OSError) as e:
                raise _absent(model, f"{model} from your internal store") from e
            self.identity += f" {self._nlp.meta['version']}"

    def __call__(self, text: str) -> Iterator[Finding]:
        """The findings of recognisers and model in a folded text; they may overlap."""
        for recogniser, type_ in self._recognisers:
            for one in recogniser.analyze(text, recogniser.supported_entities, None):
                if one.score >= _LEAST and one.start < one.end:
                    yield Finding(type=type_, start=one.start, end=one.end, reason=PRESIDIO)
        if self._nlp is not None:
            for at, piece in _pieces(text):
                for entity in self._nlp(piece).ents:
                    if entity.label_ in ("PERSON", "PER"):
                        start, end = at + entity.start_char, at + entity.end_char
                        yield Finding(type="NAME", start=start, end=end, reason=MODEL)


def _absent(package: str, install: str) -> UsageError:
    return UsageError(
        f"found no usable package {package}, which the project asks for, expected it to be installed. Install {install}, or take it out.",
        where="phi.toml",
        code="EG884",
    )


def _recogniser(name: str) -> Any:
    logging.getLogger("presidio-analyzer").setLevel(
        logging.ERROR
    )  # its notes may quote what it read
    module, _, kind = name.partition(":")
    found = getattr(importlib.import_module(module), kind)
    if kind == "EmailRecognizer":
        found = _offline(found)
    return found()


def _offline(kind: Any) -> Any:
    """The recogniser of addresses, which asks a list of suffixes that would be fetched, with the list that is installed."""
    import tldextract

    split = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def validate_result(self: Any, pattern_text: str) -> bool:
        del self
        return bool(split(pattern_text).fqdn)

    return type(kind.__name__, (kind,), {"validate_result": validate_result})


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = min(len(text), start + _LONGEST)
        if end < len(text):
            end = max(text.rfind(" ", start, end), text.rfind("\n", start, end), start + 1)
        yield start, text[start:end]
        start = end
