"""The TSSL-BP neuron: its equations, its gradient rules, and one implementation for each device."""
