"""Packing on several machines: the driver plans once, tasks pack a shard each, the manifest comes last.

The driver (`recordkit.cluster.packing.pack`) writes PREFIX.plan.json (`plan_file`), hands out shards with a bounded
number in flight (`recordkit.cluster.tasks`), and at the end writes the manifests (`dataset_files`). A task (`task`)
gets its samples (`part`), packs them with `recordkit.packing.steps.pack_set` into a folder of its own (`scratch`) and
publishes the files, .json last, by creating names that do not exist yet (`target`). So a shard is either complete and
described, or not there; two tasks of one shard write the same bytes, and whoever comes second changes nothing.
"""
