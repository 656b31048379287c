"""A second witness of the neuron: the paper's sums, written out literally and slowly, one neuron at a time, in plain floats.

Nothing here is shared with the library. The O(T) scans of the library have to agree with these O(T²) sums.
"""

import math


def forward(current, tau_m, tau_s, threshold):
    """u, v, s, a of one neuron; a is the sum over past spikes of the synapse's kernel, not a recurrence."""
    steps = len(current)
    u, v, s = [0.0] * steps, [0.0] * steps, [0] * steps
    for t in range(steps):
        u[t] = (1 - 1 / tau_m) * (v[t - 1] if t else 0.0) + current[t]
        s[t] = int(u[t] > threshold)
        v[t] = 0.0 if s[t] else u[t]
    a = [sum(s[k] * (1 - 1 / tau_s) ** (t - k) / tau_s for k in range(t + 1)) for t in range(steps)]
    return u, v, s, a


def surrogate(u, threshold):
    x = max(-8.0, min(8.0, (u - threshold) / 0.2))
    return math.exp(-x) / (1 + math.exp(-x)) ** 2 / 0.2


def tssl_bp(g_a, current, tau_m, tau_s, threshold, *, warm_up=0.25, intra=True):
    """dL/dI of the 2021-03 state as double sums: every step's error, and the chain of spikes that it is handed along."""
    steps = len(current)
    u, v, s, a = forward(current, tau_m, tau_s, threshold)
    error = [sum(g_a[k] * (1 - 1 / tau_s) ** (k - t) / tau_s for k in range(t, steps)) for t in range(steps)]

    def at_spike(t):
        """A spike's own error and, through its reset, what the next spike hands back: the decay bridges the steps between."""
        kappa = min(1 / (u[t] - (v[t - 1] if t else 0.0)), 8.0)
        handed = before_spike(t + 1) if intra else 0.0
        return kappa * (error[t] + u[t] * handed / tau_m)

    def before_spike(t):
        later = [k for k in range(t, steps) if s[k]]
        return at_spike(later[0]) * (1 - 1 / tau_m) ** (later[0] - t) if later else 0.0

    result = []
    for t in range(steps):
        if a[t] < warm_up / tau_s:
            result.append(error[t] * surrogate(u[t], threshold))
        else:
            result.append(at_spike(t) if s[t] else before_spike(t))
    return result


def tssl_bp_first_state(g_a, current, tau_m, tau_s, threshold, busy):
    """dL/dI of the 2020-10 state as double sums."""
    steps = len(current)
    u, v, s, _ = forward(current, tau_m, tau_s, threshold)

    def q(t):
        later = [k for k in range(t, steps) if s[k]]
        return g_a[later[0]] * (1 - 1 / tau_m) ** (later[0] - t) if later else 0.0

    result = []
    for t in range(steps):
        arrived = [g_a[k] + s[k] * u[k] * q(k + 1) / tau_m for k in range(t, steps)]
        error = sum(value * (1 - 1 / tau_s) ** age / tau_s for age, value in enumerate(arrived))
        if busy:
            kappa = max(-10.0, min(10.0, 1 / (u[t] - (v[t - 1] if t else 0.0)))) if s[t] else 0.0
            result.append(error * kappa)
        else:
            result.append(error * surrogate(u[t], threshold))
    return result
