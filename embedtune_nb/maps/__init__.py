"""The same texts before and after, as two aligned maps. Loads numba and UMAP only when a map is made."""
