"""Parquet files as Hugging Face's `datasets` writes and reads them: a column `image`, a column `label`, and the keys.

It needs pyarrow: ``pip install 'recordkit[parquet]'``.
"""

from recordkit.interop.parquet.read import ParquetSource, is_parquet, read_parquet
from recordkit.interop.parquet.write import ParquetParts, write_parquet

__all__ = ["ParquetParts", "ParquetSource", "is_parquet", "read_parquet", "write_parquet"]
