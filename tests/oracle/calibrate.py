#!/usr/bin/env python3
"""The seven calibration steps on whole arrays: what the Rust calibration is checked against.

Written from the challenge's description alone, with numpy and pyarrow; nothing here is shared with the Rust code, and
nothing is streamed. One visit of one planet at a time:

    calibrate.py ROOT SPLIT PLANET VISIT AIRS_BIN FGS1_BIN STEPS OUT

STEPS is a comma-separated list out of mask, linearity, dark, flat, background, aperture, or "none". OUT becomes a folder with

    airs.f64         [airs_bins, 282, 32]   electrons; columns 39..320 in the frame's order, then rows
    fgs1.f64         [fgs1_bins, 32, 32]    electrons; columns, then rows
    light_curve.f64  [bins, 283]            sums over good pixels in the order of wavelengths.csv
                                            (only when both instruments have equally many bins)
    shape.json       {"airs": [...], "fgs1": [...], "light_curve": [...]}

as little-endian doubles, row-major; masked pixels are NaN. Needs numpy and pyarrow.
"""

import csv
import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq

ROWS = 32
INSTRUMENTS = {"AIRS-CH0": (356, slice(39, 321)), "FGS1": (32, slice(0, 32))}


def read_frames(path, width):
    """A table as [frames, width], whichever of the layouts it has."""
    table = pq.read_table(path)
    if table.num_columns == 1:
        column = table.column(0).combine_chunks()
        while hasattr(column, "flatten") and column.type.num_fields == 1:
            column = column.flatten()
        return column.to_numpy(zero_copy_only=False).reshape(-1, width)
    assert table.num_columns == width, (path, table.num_columns)
    return np.stack([table[f"column_{i}"].to_numpy() for i in range(width)], axis=1)


def read_axis(root, name):
    values = pq.read_table(root / "axis_info.parquet", columns=[name])[name].to_numpy()
    return values[~np.isnan(values)]


def hot_mask(dark):
    """astropy.stats.sigma_clip(dark, sigma=5, maxiters=5).mask"""
    kept = np.sort(dark[np.isfinite(dark)])
    low, high = -np.inf, np.inf
    for _ in range(5):
        low = np.median(kept) - 5 * np.std(kept)
        high = np.median(kept) + 5 * np.std(kept)
        inside = kept[(kept >= low) & (kept <= high)]
        if inside.size == kept.size:
            break
        kept = inside
    return ~np.isfinite(dark) | (dark < low) | (dark > high)


def calibrate(root, split, planet, visit, instrument, bin_size, steps):
    width, crop = INSTRUMENTS[instrument]
    planet_folder = root / split / planet
    calibration = planet_folder / f"{instrument}_calibration_{visit}"

    def frame(name):
        rows = read_frames(calibration / f"{name}.parquet", width)
        return rows.reshape(-1, ROWS, width)[:, :, crop]

    with open(root / "adc_info.csv", newline="") as table:
        adc = {key: float(value) for key, value in next(csv.DictReader(table)).items()}

    counts = read_frames(planet_folder / f"{instrument}_signal_{visit}.parquet", ROWS * width)
    signal = counts.reshape(-1, ROWS, width)[:, :, crop].astype(np.float64)

    # 1. electrons
    signal = signal / adc[f"{instrument}_adc_gain"] + adc[f"{instrument}_adc_offset"]

    # 2. mask of dead and hot pixels
    dark = frame("dark")[0]
    masked = np.zeros(dark.shape, dtype=bool)
    if "mask" in steps:
        flat = frame("flat")[0]
        masked = frame("dead")[0].astype(bool) | hot_mask(dark) | ~((flat >= 0.2) & (flat <= 5))
    signal[:, masked] = np.nan

    # 3. linearity
    if "linearity" in steps:
        coefficients = frame("linear_corr")
        straight = np.zeros_like(signal)
        for coefficient in coefficients[::-1]:
            straight = straight * signal + coefficient
        signal = straight

    # 4. dark current over the integration time, which is 0.1 s longer on the odd reads
    if "dark" in steps:
        if instrument == "AIRS-CH0":
            seconds = read_axis(root, "AIRS-CH0-integration_time")[: len(signal)].copy()
        else:
            seconds = np.full(len(signal), 0.1)
        seconds[1::2] += 0.1
        signal = signal - dark * seconds[:, None, None]

    # 5. correlated double sampling
    pairs = signal[1::2] - signal[0::2]

    # 6. time bins; what does not fill one is dropped
    bins = len(pairs) // bin_size
    binned = pairs[: bins * bin_size].reshape(bins, bin_size, *pairs.shape[1:]).sum(axis=1)

    # 7. flat field of the good pixels; a flat of zero is no flat
    if "flat" in steps:
        flat = frame("flat")[0].copy()
        flat[masked | (flat == 0)] = np.nan
        binned = binned / flat

    return np.ascontiguousarray(binned.transpose(0, 2, 1))


def photometry(airs, fgs1, steps):
    """[bins, 282] and [bins]: sums over good pixels, of the aperture, less the background of each."""
    rows = slice(9, 23) if "aperture" in steps else slice(0, ROWS)
    star = np.nansum(airs[:, :, rows], axis=2)
    if "background" in steps:
        edges = airs[:, :, list(range(8)) + list(range(24, ROWS))]
        sums, counts = np.nansum(edges, axis=2), np.isfinite(edges).sum(axis=2)
        columns = airs.shape[1]
        level = np.empty_like(star)
        for column in range(columns):
            near = slice(max(column - 7, 0), min(column + 8, columns))
            level[:, column] = sums[:, near].sum(axis=1) / counts[:, near].sum(axis=1)
        star = star - level * np.isfinite(airs[:, :, rows]).sum(axis=2)

    centre = slice(10, 23) if "aperture" in steps else slice(0, ROWS)
    inside = fgs1[:, centre, centre]
    light = np.nansum(inside, axis=(1, 2))
    if "background" in steps:
        pixels = fgs1.reshape(len(fgs1), -1)
        total = pixels.sum(axis=0)
        good = np.flatnonzero(np.isfinite(total))
        darkest = good[np.argsort(total[good], kind="stable")[:100]]
        light = light - pixels[:, darkest].mean(axis=1) * np.isfinite(inside).sum(axis=(1, 2))
    return star, light


def light_curve(root, airs, fgs1, steps):
    with open(root / "wavelengths.csv", newline="") as table:
        wavelengths = [float(value) for value in list(csv.reader(table))[1]]
    axis = read_axis(root, "AIRS-CH0-axis2-um")[INSTRUMENTS["AIRS-CH0"][1]]
    column_of = [int(np.argmin(np.abs(axis - wavelength))) for wavelength in wavelengths[1:]]
    assert np.allclose(axis[column_of], wavelengths[1:], rtol=0, atol=1e-6)
    assert sorted(column_of) == list(range(282))
    columns, star = photometry(airs, fgs1, steps)
    return np.concatenate([star[:, None], columns[:, column_of]], axis=1)


def main():
    root, split, planet, visit, airs_bin, fgs1_bin, steps, out = sys.argv[1:]
    root, out = pathlib.Path(root), pathlib.Path(out)
    steps = set(steps.split(",")) - {"none"}
    assert steps <= {"mask", "linearity", "dark", "flat", "background", "aperture"}, steps
    arrays = {
        "airs": calibrate(root, split, planet, visit, "AIRS-CH0", int(airs_bin), steps),
        "fgs1": calibrate(root, split, planet, visit, "FGS1", int(fgs1_bin), steps),
    }
    if len(arrays["airs"]) == len(arrays["fgs1"]):
        arrays["light_curve"] = light_curve(root, arrays["airs"], arrays["fgs1"], steps)
    out.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        array.astype("<f8").tofile(out / f"{name}.f64")
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    (out / "shape.json").write_text(json.dumps(shapes) + "\n")


if __name__ == "__main__":
    main()
