"""Amounts between minor units, as the contract counts them, and what people read and write."""

from decimal import Decimal, InvalidOperation

_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS = dict.fromkeys(_NO_DIGITS.split(), 0) | dict.fromkeys(_THREE_DIGITS.split(), 3)
_USUAL_DIGITS = 2


def digits_of(currency: str) -> int:
    """How many digits after the point a currency has: none, two or three; two where it is not given."""
    return _DIGITS.get(currency, _USUAL_DIGITS)


def parse_amount(text: str, currency: str = "") -> int:
    """The minor units of an amount such as 100.00; two digits after the point where the currency is not given.

    Raises:
        ValueError: It is no amount, is negative, or is finer than the currency.
    """
    try:
        minor = Decimal(text).scaleb(digits_of(currency))
    except InvalidOperation:
        raise ValueError(f"'{text}' is no amount such as 100.00") from None
    if not minor.is_finite() or minor < 0 or minor != minor.to_integral_value():
        raise ValueError(f"'{text}' is no amount of {currency or 'money'} such as 100.00")
    return int(minor)


def format_amount(minor: int, currency: str = "") -> str:
    """An amount for a person: 100.00 CNY."""
    digits = digits_of(currency)
    return f"{Decimal(minor).scaleb(-digits):,.{digits}f} {currency}".strip()
