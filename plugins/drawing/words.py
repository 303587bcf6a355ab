"""A figure's own words in English and Chinese, and the font that has them."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

WORDS = {
    "en": {},
    "zh": {
        "backbone": "主干网络",
        "neck": "颈部网络",
        "head": "预测头",
        "stride": "步长",
        "image": "输入图像",
        "{} parameters": "参数量 {}",
        "image {}": "输入图像 {}",
        "plug-in block": "即插即用模块",
        "convolution": "卷积",
        "stage": "特征提取模块",
        "attention": "注意力",
        "pooling": "池化",
        "resampling": "上/下采样",
        "concatenation, sum": "拼接/融合",
        "other layer": "其他层",
        "output head": "预测头",
        "boxes": "边界框",
        "masks": "掩码",
        "keypoints": "关键点",
        "angles": "旋转角",
        "depth": "深度图",
        "row {}": "第 {} 行",
        "each level alike": "各层级相同",
        "input": "输入",
        "output": "输出",
        "classes": "类",
        "text": "文本",
        "maps": "个特征图",
        "concatenate": "拼接",
        "add": "相加",
        "multiply": "相乘",
        "matrix product": "矩阵乘",
        "split": "切分",
        "shuffle": "通道混洗",
        "large kernel": "大卷积核",
        "area attention": "区域注意力",
        "depthwise": "深度",
        "groups": "组",
        "dilated": "空洞率",
    },
}
"""By language, what is written in place of the English words."""

LANGUAGES = tuple(WORDS)
LIKED = ("Noto Sans CJK SC", "Source Han Sans SC", "Noto Sans SC", "WenQuanYi", "Microsoft YaHei", "PingFang", "SimHei")
"""Fonts for Chinese to take first, where several are installed."""

NEEDED = "".join(sorted({c for word in WORDS["zh"].values() for c in word if ord(c) > 0x2E80}))


def said(text: str, language: str) -> str:
    """A word or phrase of the figure in a language; what has no translation stays."""
    return WORDS[language].get(text, text)


def spoken(text: str, language: str) -> str:
    """A note of several words, each in the language where it has them."""
    whole = said(text, language)
    return whole if whole != text else " ".join(said(part, language) for part in text.split(" "))


def is_chinese(text: str) -> bool:
    """Whether a text needs a font for Chinese."""
    return any(ord(c) > 0x2E80 for c in text)


def refuse(language: str) -> None:
    """Refuse a language that there are no words or no font for.

    Raises:
        ValueError: saying which there are, or what to install.
    """
    if language not in WORDS:
        raise ValueError(f"--lang {language}: there are {' and '.join(WORDS)}")
    if language == "zh":
        chinese_font()


@lru_cache(1)
def chinese_font() -> Path:
    """The file of an installed font that has every Chinese character of the figures.

    Raises:
        ValueError: there is none; says what to install.
    """
    from matplotlib import font_manager

    files = {*font_manager.findSystemFonts(), *(font.fname for font in font_manager.fontManager.ttflist)}
    if bundle := find_spec("mplfonts"):
        files |= {str(file) for file in Path(str(bundle.origin)).parent.glob("fonts/*.[ot]tf")}
    found: list[tuple[int, str, str]] = []
    for file in sorted(files):
        try:
            font = font_manager.get_font(file)
            has = font.get_charmap()
        except (RuntimeError, OSError, UnicodeError):  # a file that is no font that can be read
            continue
        if all(ord(c) in has for c in NEEDED):
            rank = next((i for i, name in enumerate(LIKED) if font.family_name.startswith(name)), len(LIKED))
            found.append((rank + len(LIKED) * (font.style_name not in ("Regular", "Medium")), font.family_name, file))
    if not found:
        raise ValueError(
            "no installed font has the Chinese characters that --lang zh writes; install one, such as Noto Sans CJK "
            "(Debian, Ubuntu: apt install fonts-noto-cjk), or a package that brings it (pip install mplfonts)"
        )
    return Path(min(found)[2])
