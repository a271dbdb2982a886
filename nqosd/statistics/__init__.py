"""What the rules did on this chassis: packets and bytes marked, let through and dropped.

In: rows of the Northbound database, logical flows of the Southbound one, counters of br-int. Out: counters by rule for
Prometheus. Rule: the way from a row to its counters is known from the databases at every moment, never guessed from
numbers that may be given anew, so no counter goes backwards and none counts for another rule.
"""
