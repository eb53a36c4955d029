"""Transactions: how they begin and end, what became of those whose end nobody heard, and running them again."""

from dal.transaction.callbacks import Callback, Callbacks
from dal.transaction.options import Isolation, TransactionOptions
from dal.transaction.outcome import Outcome
from dal.transaction.retry import Retry, run
from dal.transaction.transaction import Transaction

__all__ = ["Callback", "Callbacks", "Isolation", "Outcome", "Retry", "Transaction", "TransactionOptions", "run"]
