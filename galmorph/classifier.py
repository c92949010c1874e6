# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
`MorphologyClassifier`: images in, table of morphologies out.

It joins the rooms - `galmorph.images`, `galmorph.models`, `galmorph.tables` -
and holds no algorithm of its own. They are imported at first use, TensorFlow
at the first prediction.
"""

import numpy as np

from galmorph import __version__
from galmorph._plumbing import (
    annotate_tiles,
    check_number,
    in_files,
    is_one_image,
    join_stamps,
    join_tables,
    length,
    list_failures,
    pair_up,
    predict_usable,
    progress_line,
    read_bands,
    stamps_in_batches,
    to_pixels,
)
from galmorph.core import ConfigurationError, ImageError, conf
from galmorph.core.exceptions import reason

__all__ = ["MorphologyClassifier"]


class MorphologyClassifier:
    """
    Give galaxies the fractions of votes that experts would give them.

    Parameters
    ----------
    model : str or `~galmorph.models.ModelBundle`, optional
        Name of a registered model, or a loaded bundle; by default the default
        model, which comes with the package.
    batch_size : int, optional
        Number of galaxies that are held and preprocessed at a time; by default
        ``conf.batch_size``. Results do not depend on it.
    views : int, optional
        Number of `~galmorph.models.views` that are averaged, 1 to 8; by
        default what the model says.
    device : str or list of str, optional
        Device of the network, e.g. ``'cpu:0'``; by default the backend's choice.
        Several, as ``['gpu:0', 'gpu:1']``, are given batches in turns.
    precision : {'float32', 'mixed'}, optional
        ``'mixed'`` is faster on many devices, see `~galmorph.models.Predictor`.

    Raises
    ------
    UnknownModelError
        If no model of that name is registered.
    DownloadError
        If the model's file cannot be had.
    BundleError
        If it is not a valid model bundle.
    ConfigurationError
        If ``batch_size``, or at the first prediction another option, is out of range.

    Examples
    --------
    >>> from galmorph import MorphologyClassifier
    >>> classifier = MorphologyClassifier()  # doctest: +SKIP
    >>> table = classifier.classify(["a.fits", "b.fits"])  # doctest: +SKIP
    """

    def __init__(
        self,
        model=None,
        *,
        batch_size=None,
        views=None,
        device=None,
        precision="float32",
    ):
        from galmorph.images import Preprocessor
        from galmorph.models import ModelBundle, fetch_model, load_bundle

        if not isinstance(model, ModelBundle):
            model = load_bundle(fetch_model(model))
        self._bundle = model
        self._preprocessor = Preprocessor.from_dict(model.preprocessing)
        *_, self._bands = model.config["architecture"]["input_shape"]
        self._batch_size = conf.batch_size if batch_size is None else batch_size
        if not self._batch_size >= 1:
            raise ConfigurationError(
                f"batch_size: found {batch_size!r}; it must be 1 or more"
            )
        self._views, self._device, self._precision = views, device, precision
        self._predictor = None

    @classmethod
    def from_file(cls, path, **options):
        """
        Make a classifier from a model bundle.

        Parameters
        ----------
        path : path-like
            The bundle's folder or ``.zip`` file.
        **options
            ``batch_size``, ``views``, ``device`` and ``precision``.

        Returns
        -------
        classifier : `MorphologyClassifier`

        Raises
        ------
        BundleError
            If it is not a valid model bundle.
        """
        from galmorph.models import load_bundle

        return cls(load_bundle(path), **options)

    def save(self, path, *, overwrite=False):
        """
        Write the model as a bundle.

        Parameters
        ----------
        path : path-like
            A folder to make, or a file that ends in ``.zip``.
        overwrite : bool, optional
            Whether to replace what is there.

        Returns
        -------
        path : `~pathlib.Path`
        """
        from galmorph.models import copy_bundle

        return copy_bundle(self._bundle, path, overwrite=overwrite)

    def __getstate__(self):
        # a compiled network stays in its process
        return {**self.__dict__, "_predictor": None}

    def __repr__(self):
        return f"<MorphologyClassifier {self.name!r}, scheme {self.scheme.name!r}>"

    @property
    def name(self):
        """Name of the model."""
        return self._bundle.name

    @property
    def scheme(self):
        """The `~galmorph.core.LabelScheme` of the outputs."""
        return self._bundle.scheme

    @property
    def card(self):
        """What the model was made from and what it is good for, as text."""
        return self._bundle.card

    @property
    def sha256(self):
        """SHA-256 of the model bundle."""
        return self._bundle.sha256

    @property
    def preprocessor(self):
        """The model's own `~galmorph.images.Preprocessor`."""
        return self._preprocessor

    @property
    def bands(self):
        """Number of bands of the images that the model reads."""
        return self._bands

    @property
    def provenance(self):
        """What the ``meta`` of results tells of where they come from, a dict."""
        return {
            "version": __version__,
            "model": self.name,
            "sha256": self.sha256,
            "scheme": self.scheme.name,
            "outputs": list(self.scheme.outputs),
            "preprocessing": self._preprocessor.to_dict(),
        }

    def classify(
        self, images, *, ids=None, positions=None, pixel_scale=None, progress=False
    ):
        """
        Classify galaxies, each in an image of its own or at a position.

        Parameters
        ----------
        images : image or iterable of images
            One image - an array, Quantity, masked array,
            `~astropy.nddata.NDData`, `~astropy.nddata.Cutout2D`, HDU, or the
            path or URL of a FITS file - or any iterable of them. A generator is
            consumed in batches.
        ids : sequence, optional
            Names of the galaxies, for the column ``id``.
        positions : optional
            Where in the images the galaxies are: for many images one position
            each, for one image one position or any number of them. A position
            is a `~astropy.coordinates.SkyCoord`, or x and y in pixels counted
            from 0; a scalar or array SkyCoord, or an array of shape (2,) or
            (n, 2). By default the galaxy is in the middle of its image.
        pixel_scale : `~astropy.units.Quantity` or float, optional
            Size of a pixel, in arcsec where there is no unit; by default the
            WCS's.
        progress : bool, optional
            Whether to show progress on standard error.

        Returns
        -------
        table : `~astropy.table.QTable`
            One row per galaxy, in order: ``id`` (if given), the fractions with
            their errors, ``morph_class``, ``morph_flags`` and measurements.
            ``meta['galmorph']`` tells the version, the model, its SHA-256, its
            preprocessing, and which images failed and why.

        Raises
        ------
        ImageError
            If the one image is not valid. One of many that is not gets a row
            with the flag ``failed``.
        CatalogError
            If the numbers of ids, positions and images differ.
        """
        failures = {}
        if is_one_image(images):
            cutouts = self._cutouts_of_one(images, positions, pixel_scale)
            total = 1 if positions is None else None
            ids = [ids] if ids is not None and np.ndim(ids) == 0 else ids
        else:
            cutouts = self._cutouts_of_many(images, positions, pixel_scale, failures)
            total = length(images)
        if ids is not None:
            ids = list(ids)
            if total is not None:
                check_number("ids", ids, total)
        table = self._classify(
            cutouts, failures, ids=ids, total=total, progress=progress
        )
        if total == 1 and failures and is_one_image(images):
            raise ImageError(f"images: {failures[0]}")
        return table

    def annotate(
        self,
        catalog,
        image,
        *,
        position=None,
        segmentation=None,
        pixel_scale=None,
        overwrite=False,
        n_workers=None,
        progress=False,
    ):
        """
        Add morphologies to a catalogue of the sources of an image.

        Parameters
        ----------
        catalog : `~astropy.table.Table`
            The catalogue. It is not changed.
        image : image, or tiles
            The mosaic: anything that `classify` takes as one image, or its tiles,
            see `~galmorph.scale.find_tiles`. Of files windows are read.
        position : optional
            Where the sources are, see `~galmorph.tables.pixel_positions`: names of
            columns, a `~astropy.coordinates.SkyCoord`, or a pair of arrays of
            pixels counted from 0. By default columns are found by their usual
            names, sky positions first.
        segmentation : array_like of int, optional
            Segmentation map of the image, 0 is sky; by default each stamp is
            segmented on its own.
        pixel_scale : `~astropy.units.Quantity` or float, optional
            Size of a pixel, in arcsec where there is no unit; by default the
            WCS's.
        overwrite : bool, optional
            Whether to replace columns of the same names. Without it, fractions
            that are there already are an error, and measured columns of the
            catalogue (``x_centroid``, ``snr``...) stay as they are.
        n_workers : int, optional
            Of images in files: number of processes, see `~galmorph.scale.annotate`.
        progress : bool, optional
            Whether to show progress on standard error.

        Returns
        -------
        table : `~astropy.table.QTable`
            The catalogue's rows and columns in their order, and the columns of
            `classify` but ``id``.

        Raises
        ------
        ImageError
            If the image is not valid.
        CatalogError
            If no positions are found, or if columns would be replaced.
        """
        from galmorph.tables import annotate_table, pixel_positions, without_clashes

        if in_files(image):
            return annotate_tiles(
                self,
                catalog,
                image,
                {"pixel_scale": pixel_scale, "segmentation": segmentation},
                batch_size=self._batch_size,
                position=position,
                n_workers=n_workers,
                overwrite_columns=overwrite,
                progress=progress,
            )
        image = self._read(image, pixel_scale)
        x, y = pixel_positions(catalog, image.wcs, position)
        cutouts = self._preprocessor.cutouts(image, x, y, segmentation=segmentation)
        result = self._classify(cutouts, {}, total=len(catalog), progress=progress)
        return annotate_table(
            catalog,
            without_clashes(result, catalog, overwrite),
            overwrite=overwrite,
        )

    def classify_image(
        self,
        image,
        *,
        detection=None,
        pixel_scale=None,
        n_workers=None,
        progress=False,
    ):
        """
        Detect the sources of an image and classify each.

        Parameters
        ----------
        image : image, or tiles
            The mosaic: anything that `classify` takes as one image, or its tiles,
            see `~galmorph.scale.find_tiles`. Its uncertainty and mask are used. Of
            files parts are read, see `~galmorph.scale.detect_parts`.
        detection : `~galmorph.images.DetectionConfig` or \
                `~galmorph.images.Detection`, optional
            Settings of the detection, or its result.
        pixel_scale : `~astropy.units.Quantity` or float, optional
            Size of a pixel, in arcsec where there is no unit; by default the
            WCS's.
        n_workers : int, optional
            Of images in files: number of processes, see `~galmorph.scale.annotate`.
        progress : bool, optional
            Whether to show progress on standard error.

        Returns
        -------
        table : `~astropy.table.QTable`
            The columns of `~galmorph.images.detect_sources` and of `classify`.

        Raises
        ------
        ImageError
            If the image is not valid.
        """
        from galmorph.images import Detection, detect_sources
        from galmorph.tables import annotate_table, without_clashes

        if in_files(image) and not isinstance(detection, Detection):
            return annotate_tiles(
                self,
                None,
                image,
                {"pixel_scale": pixel_scale},
                batch_size=self._batch_size,
                detection=detection,
                n_workers=n_workers,
                progress=progress,
            )
        image = self._read(image, pixel_scale)
        if not isinstance(detection, Detection):
            detection = detect_sources(image, detection, progress=progress)
        sources = detection.catalog
        cutouts = self._preprocessor.cutouts(
            image,
            sources["x_centroid"],
            sources["y_centroid"],
            segmentation=detection.segmentation,
            labels=sources["label"],
        )
        result = self._classify(cutouts, {}, total=len(sources), progress=progress)
        return annotate_table(sources, without_clashes(result, sources))

    def preprocess(self, images, *, positions=None, pixel_scale=None):
        """
        The stamps that the network would see.

        Parameters
        ----------
        images, positions, pixel_scale
            As for `classify`.

        Returns
        -------
        stamps : `~galmorph.images.Stamps`
            ``data`` of shape (n, size, size, bands), ``flags`` and
            ``measurements``, in the order of the images.

        Raises
        ------
        ImageError
            If the one image is not valid.
        """
        if is_one_image(images):
            cutouts = self._cutouts_of_one(images, positions, pixel_scale)
        else:
            cutouts = self._cutouts_of_many(images, positions, pixel_scale, {})
        return join_stamps(
            stamps_in_batches(cutouts, self._preprocessor, self._batch_size)
        )

    def _read(self, image, pixel_scale):
        return read_bands(image, pixel_scale, self._bands, self.name)

    def _cutouts_of_one(self, image, positions, pixel_scale):
        from galmorph.images import cutout_from_image

        image = self._read(image, pixel_scale)
        if positions is None:
            return [cutout_from_image(image)]
        return self._preprocessor.cutouts(image, *to_pixels(positions, image.wcs))

    def _cutouts_of_many(self, images, positions, pixel_scale, failures):
        from galmorph.images.cutouts import failed_cutout

        pairs = pair_up(images, "positions", positions)
        for row, (image, position) in enumerate(pairs):
            try:
                (cutout,) = self._cutouts_of_one(image, position, pixel_scale)
            except Exception as error:
                failures[row] = reason(error)
                cutout = failed_cutout(self._bands)
            yield cutout

    @property
    def settings(self):
        """What the results depend on beside the model, a dict."""
        return {"views": self._views, "precision": self._precision}

    @property
    def predictor(self):
        """The network, ready to predict: a `~galmorph.models.Predictor`."""
        if self._predictor is None:
            from galmorph.models import Predictor

            self._predictor = Predictor(
                self._bundle,
                views=self._views,
                device=self._device,
                precision=self._precision,
            )
        return self._predictor

    def _classify(self, cutouts, failures, *, ids=None, total=None, progress=False):
        from galmorph.tables import result_table

        predictions, flags, measurements, done = [], [], [], 0
        with progress_line(progress, total) as advance:
            for stamps in stamps_in_batches(
                cutouts, self._preprocessor, self._batch_size
            ):
                predictions.append(predict_usable(self, stamps))
                for row, why in stamps.failures.items():
                    failures.setdefault(done + row, " ".join(why.split()))
                flags.append(stamps.flags)
                measurements.append(stamps.measurements)
                advance(len(stamps))
                done += len(stamps)
        flags = np.concatenate(flags)
        if ids is not None:
            check_number("ids", ids, len(flags))
        fractions, errors, distances = map(
            np.concatenate, zip(*predictions, strict=True)
        )
        return result_table(
            fractions,
            errors,
            flags,
            distances=distances,
            scheme=self.scheme,
            ids=ids,
            measurements=join_tables(measurements),
            meta={**self.provenance, "failures": list_failures(failures, ids)},
        )
