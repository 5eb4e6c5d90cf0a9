"""The folders in which images lie: of this machine, or of an object store.

A tree of images (`recordkit.sources.image_tree`) asks a `Folders` for names: `local`, or `stored`, which lists a store
once. A list of images reads them from an `recordkit.sources.outside.ImageRoot`, or from a `list_root.StoredRoot`. The
images of a store are fetched by `reader`, many at once, and compared with the facts of the list (`facts`).
"""
