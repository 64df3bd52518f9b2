"""Words of GS1's Core Business Vocabulary (CBV 2.0, section 7) and of the GS1 Web Vocabulary that EPCIS uses.

A word may be written in four ways: bare (``commissioning``), compact (``cbv:BizStep-commissioning``), as a web URI
(``https://ref.gs1.org/cbv/BizStep-commissioning``) and, until CBV 1.2, as a URN
(``urn:epcglobal:cbv:bizstep:commissioning``). Here it always becomes the bare word; in the event hash, the web URI.
"""

import re
from dataclasses import dataclass

from packtrace.epcis.context import Context
from packtrace.epcis.values import refusal, text, uri
from packtrace.errors import DocumentError

CBV = "https://ref.gs1.org/cbv/"
GS1_VOC = "https://gs1.org/voc/"
# Namespaces that only GS1 gives words in: what stands there and is not in the lists below does not exist.
GS1_NAMESPACES = re.compile(
    r"(?:https?://(?:ref|ns)\.gs1\.org/(?:cbv|voc)/|https?://(?:www\.)?gs1\.org/voc/|urn:epcglobal:cbv:)", re.I
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One list of words. `web`, `urn` and `others` are what stands before a word written as a URI."""

    name: str
    words: frozenset[str]
    web: str
    urn: str
    others: tuple[str, ...]

    def read(self, given: object, path: str, context: Context) -> str:
        """The bare word, or the URI of somebody else's word. Raises DocumentError for an unknown word."""
        written = text(given, path)
        if written in self.words:
            return written
        if ":" not in written:
            raise self._unknown(written, path)
        full = context.expand(written)
        for start in (self.web, self.urn, *self.others):
            if full.startswith(start) and full[len(start) :] in self.words:
                return full[len(start) :]
        if GS1_NAMESPACES.match(full):
            raise self._unknown(written, path)
        return uri(full, path)

    def uri(self, word: str) -> str:
        """`word` as it stands in the event hash: a web URI (CBV 2.0, 8.9)."""
        return self.web + word if word in self.words else word

    def _unknown(self, written: str, path: str) -> DocumentError:
        return refusal(
            f"this {self.name} is not in the Core Business Vocabulary: take a word of CBV 2.0 or the URI of your own",
            path,
            written,
            rule="CBV 2.0, section 7",
        )


def _cbv(name: str, key: str, urn: str, words: str) -> Vocabulary:
    return Vocabulary(
        name,
        frozenset(words.split()),
        f"{CBV}{key}-",
        f"urn:epcglobal:cbv:{urn}:",
        (f"http://ref.gs1.org/cbv/{key}-", f"https://ns.gs1.org/cbv/{key}-"),
    )


def _gs1(name: str, words: str) -> Vocabulary:
    others = ("https://www.gs1.org/voc/", "http://www.gs1.org/voc/", "https://ref.gs1.org/voc/")
    return Vocabulary(name, frozenset(words.split()), GS1_VOC, "http://gs1.org/voc/", others)


BIZ_STEP = _cbv(
    "business step",
    "BizStep",
    "bizstep",
    """
    accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting
    decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting
    installing killing loading other packing picking receiving removing repackaging repairing replacing
    reserving retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing
    transporting unloading unpacking void_shipping
    """,
)
DISPOSITION = _cbv(
    "disposition",
    "Disp",
    "disp",
    """
    active available completeness_inferred completeness_verified conformant container_closed container_open
    damaged destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class
    mismatch_instance mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other
    partially_dispensed recalled reserved retail_sold returned sellable_accessible sellable_not_accessible
    stolen unavailable unknown
    """,
)
BIZ_TRANSACTION = _cbv(
    "business transaction type",
    "BTT",
    "btt",
    """
    bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt
    """,
)
SOURCE_DESTINATION = _cbv(
    "source or destination type",
    "SDT",
    "sdt",
    """
    location owning_party possessing_party
    """,
)
ERROR_REASON = _cbv(
    "error reason",
    "ER",
    "er",
    """
    did_not_occur incorrect_data
    """,
)
COMPONENT = _cbv(
    "component",
    "Comp",
    "comp",
    """
    altitude axial_distance azimuth easting elevation_angle height latitude longitude northing polar_angle
    spherical_radius x y z
    """,
)
MEASUREMENT = _gs1(
    "measurement type",
    """
    AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration Altitude AmountOfSubstance
    AmountOfSubstancePerUnitVolume Angle AngularAcceleration AngularMomentum AngularVelocity Area Capacitance
    Conductance Conductivity Count Density Dimensionless DoseEquivalent DoseEquivalentRate DynamicViscosity
    ElectricCharge ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force Frequency
    Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum Luminance LuminousFlux
    LuminousIntensity MagneticFlux MagneticFluxDensity MagneticVectorPotential Mass MassConcentration
    MassFlowRate MassPerAreaTime MemoryCapacity MolalityOfSolute MolarEnergy MolarMass MolarVolume Power
    Pressure RadiantFlux RadiantIntensity Radioactivity RelativeHumidity Resistance Resistivity SolidAngle
    SpecificVolume Speed SurfaceDensity SurfaceTension Temperature Time Torque Voltage Volume VolumeFlowRate
    VolumeFraction VolumetricFlux Wavenumber
    """,
)
SENSOR_ALERT = _gs1(
    "sensor alert type",
    """
    ALARM_CONDITION ERROR_CONDITION
    """,
)
