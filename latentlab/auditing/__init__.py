"""The audit: what a move does to a thousand images of one's own, before anybody pays for a training with it.

Which labels it keeps, told by a judge that is not the classifier; how far one may go; which pictures break; what it
costs; in words that the numbers carry. `stream` measures chunk by chunk, `summary` makes figures of the records,
`report` shows them; what one visitor's page does with it is not said here.
"""

from latentlab.auditing.config import Audit
from latentlab.auditing.stream import audit_moves

__all__ = ["Audit", "audit_moves"]
