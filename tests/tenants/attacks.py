"""Every attack, in the order of docs/security.md."""

from tests.tenants.attacks_of_labels import OF_LABELS
from tests.tenants.attacks_of_pods import OF_PODS
from tests.tenants.attacks_of_policies import OF_POLICIES
from tests.tenants.attacks_of_sizes import OF_SIZES
from tests.tenants.attacks_of_texts import OF_TEXTS

ATTACKS = (*OF_TEXTS, *OF_SIZES, *OF_LABELS, *OF_PODS, *OF_POLICIES)
