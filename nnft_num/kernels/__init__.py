"""From a plan to compiled code that fills fields, layers or gradients."""
