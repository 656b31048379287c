"""Tables and figures as pure functions of the runs that were measured."""
