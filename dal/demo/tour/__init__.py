"""The tour: seven steps on the reference shop, each shown and each checked."""

from dal.demo.tour.take import take_tour

__all__ = ["take_tour"]
