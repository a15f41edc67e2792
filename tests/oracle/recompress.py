"""Writes a Parquet file again with another codec, with checksums of its pages: recompress.py FILE CODEC [flip].

With `flip` one bit of the middle of the file is turned over afterwards: in the data, where nothing but a checksum sees it.
"""

import sys

import pyarrow.parquet as pq

path, codec = sys.argv[1:3]
table = pq.read_table(path)
pq.write_table(table, path, compression=codec, use_dictionary=False, write_page_checksum=True, write_statistics=False)
if sys.argv[3:] == ["flip"]:
    with open(path, "r+b") as file:
        content = bytearray(file.read())
        footer = int.from_bytes(content[-8:-4], "little")
        # The last value of the last page: pages come before the footer.
        content[len(content) - 8 - footer - 4] ^= 1
        file.seek(0)
        file.write(content)
