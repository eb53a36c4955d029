"""What is sent to the server, by whom, how long it took and how many rows it gave."""

from dal.telemetry.development import n_plus_one_logged
from dal.telemetry.fingerprint import Fingerprint, fingerprint
from dal.telemetry.hearing import Hears, heard_by, is_logging, logs_here, statement_sent, waited
from dal.telemetry.log import StatementLog, max_statements
from dal.telemetry.repeated import Repeated
from dal.telemetry.statement import Statement

__all__ = [
    "Fingerprint",
    "Hears",
    "Repeated",
    "Statement",
    "StatementLog",
    "fingerprint",
    "heard_by",
    "is_logging",
    "logs_here",
    "max_statements",
    "n_plus_one_logged",
    "statement_sent",
    "waited",
]
