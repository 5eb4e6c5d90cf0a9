"""Folders of images copied to a store, and packs of both copies."""

import recordkit


def upload(store, root, folder="photos"):
    for path in sorted(root.rglob("*")):
        if path.is_file():
            store.put(f"{folder}/{path.relative_to(root)}", path.read_bytes())
    return f"{store.url}/{folder}"


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def packs(tmp_path, sources, plan, engine="auto"):
    """Pack two sources, and return the files of each."""
    made = []
    for number, source in enumerate(sources):
        (tmp_path / f"out{number}").mkdir()
        report = recordkit.pack(source, tmp_path / f"out{number}" / "a", plan=plan, engine=engine)
        made.append((files(tmp_path / f"out{number}"), report.n_packed, report.ok))
    return made
