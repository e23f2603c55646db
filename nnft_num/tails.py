"""x."""
import numpy as np
def effective_freedom(d): 
    return np.full(len(d),127.)
def tail_indices(m): return np.ones(m.dimension)
def heavy_entries(order,idx,*,freedom,tails,moments): return np.zeros(len(idx),bool)
