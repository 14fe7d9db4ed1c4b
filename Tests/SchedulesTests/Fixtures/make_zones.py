#!/usr/bin/python3
"""Writes zones.json: zone files of this machine, what Python's zoneinfo makes of them, and times of cron expressions that
are found here by looking at every minute. Run it by hand when the cases should change: make_zones.py > zones.json"""

import base64
import datetime
import json
import random
import zoneinfo

ZONES = [
    "Africa/Casablanca", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll",
    "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin", "Pacific/Apia",
]
EXPRESSIONS = [
    "30 2 * * *", "*/20 1-3 * * *", "0 * * * *", "*/30 */2 * * *", "15 0 * * *", "0 12 L * *", "0 9 * * 1-5",
    "0 0 15W * *", "45 23 LW * *", "5 4 * * 5#2", "5 4 * * 0L", "0 0 29 2 *", "0 3 13 * FRI", "10 1 1 JAN,JUL *",
    "59 1 * 3,10,11 SUN", "0 2 * * 7", "* 2 * * *", "0/25 1 * * *", "0 0 1 1 * 2027",
]
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def offset(zone, second):
    at = EPOCH + datetime.timedelta(seconds=second)
    return int(at.astimezone(zone).utcoffset().total_seconds())


def numbers(field, low, high, names=()):
    """The set of numbers of a plain field."""
    found = set()
    for item in field.split(","):
        for index, name in enumerate(names):
            item = item.replace(name, str(index + low))
        body, _, step = item.partition("/")
        if body == "*":
            first, last = low, high
        elif "-" in body:
            first, last = map(int, body.split("-"))
        else:
            first = int(body)
            last = high if step else first
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def month_length(date):
    return ((date.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - datetime.timedelta(days=1)).day


def workday_near(year, month, day):
    wanted = datetime.date(year, month, day)
    near = sorted(
        (abs((candidate - wanted).days), candidate.day)
        for candidate in (wanted + datetime.timedelta(days=d) for d in range(-3, 4))
        if candidate.month == month and candidate.weekday() < 5)
    return near[0][1]


def day_fits(date, days, weekdays):
    length = month_length(date)
    if days == "L":
        first = date.day == length
    elif days == "LW":
        first = date.day == max(
            d for d in range(length - 3, length + 1) if date.replace(day=d).weekday() < 5)
    elif days.endswith("W"):
        first = date.day == workday_near(date.year, date.month, int(days[:-1]))
    else:
        first = date.day in numbers(days, 1, 31)
    sunday_first = (date.weekday() + 1) % 7
    if "#" in weekdays:
        weekday, number = map(int, weekdays.split("#"))
        second = sunday_first == weekday and (date.day - 1) // 7 + 1 == number
    elif weekdays.endswith("L"):
        second = sunday_first == int(weekdays[:-1]) and date.day + 7 > length
    else:
        names = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
        second = sunday_first in {n % 7 for n in numbers(weekdays, 0, 7, names)}
    return first and second


class Cron:
    def __init__(self, text):
        fields = text.split()
        self.minutes = numbers(fields[0], 0, 59)
        self.hours = numbers(fields[1], 0, 23)
        self.every_hour = fields[1].startswith("*")
        months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
        self.months = numbers(fields[3], 1, 12, months)
        self.days, self.weekdays = fields[2], fields[4]
        self.years = numbers(fields[5], 1970, 2099) if len(fields) > 5 else None
        self.known = {}

    def fits(self, wall):
        day, rest = divmod(wall, 86400)
        if day not in self.known:
            date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
            self.known[day] = (
                date.month in self.months and (self.years is None or date.year in self.years)
                and day_fits(date, self.days, self.weekdays))
        return self.known[day] and rest // 3600 in self.hours and rest // 60 % 60 in self.minutes

    def times(self, zone, begin, end):
        """All times in a stretch, minute by minute."""
        found = []
        shown = set(range(begin - 86400 * 2 + offset(zone, begin - 1), begin + offset(zone, begin - 1), 60))
        before = offset(zone, begin - 60)
        for second in range(begin, end, 60):
            now = offset(zone, second)
            wall = second + now
            happens = self.fits(wall) and (self.every_hour or wall not in shown)
            if now > before and not self.every_hour:
                happens = happens or any(self.fits(w) for w in range(second + before, second + now, 60))
            if happens:
                found.append(second)
            shown.add(wall)
            before = now
        return found


def seconds(text):
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def main():
    chance = random.Random(20260501)
    document = {"zones": {}, "offsets": [], "walls": [], "cron": []}
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        with open("/usr/share/zoneinfo/" + name, "rb") as file:
            document["zones"][name] = base64.b64encode(file.read()).decode()
        samples = [chance.randrange(-2_500_000_000, 4_100_000_000) for _ in range(60)]
        document["offsets"].append([name, [[s, offset(zone, s)] for s in samples]])
        # Around each change of some years, times on the wall: the instants that show them.
        walls = []
        for year in (1999, 2011, 2024, 2040):
            at = seconds(f"{year}-01-01")
            for hour in range(366 * 24):
                here = at + hour * 3600
                if offset(zone, here) != offset(zone, here + 3600):
                    for minute in range(-90, 91, 30):
                        wall = here + offset(zone, here) + minute * 60
                        instants = sorted({wall - o for o in {offset(zone, here - 7200), offset(zone, here + 7200)}
                                           if offset(zone, wall - o) == o})
                        walls.append([wall, instants])
        document["walls"].append([name, walls])
        for expression in EXPRESSIONS:
            cron = Cron(expression)
            for begin, days in (("2024-03-01", 45), ("2011-12-20", 20), ("2026-09-20", 60)):
                begin = seconds(begin)
                found = cron.times(zone, begin, begin + days * 86400)
                # Long lists by their length and a sum only.
                digest = [len(found), sum(t // 60 for t in found) % 1_000_000_007]
                document["cron"].append([name, expression, begin, begin + days * 86400, digest, found[:3], found[-2:]])
    print(json.dumps(document, separators=(",", ":")).replace('],["', '],\n["').replace('","', '",\n"'))


main()
