"""Why a packet is treated as it is: the compiler's decision for one packet, with every reason on the way.

In: the current objects, the settings, a question about one packet of a pod. Out: an `Explanation`, which names the rule
that the packet takes, those that lose to it, and of everything else the part that keeps it out. Pure. Rule: it decides
by the compiler's own contexts, places and priorities, and names the compiler's own rows; the tests hold it against the
oracle, which shares nothing with either.
"""
