"""What decides a number: neuron, network, losses, batches, a training step and the loop over it."""
