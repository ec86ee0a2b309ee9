#!/usr/bin/env python3
"""judge_mime.py FILE...: reads each message with Python's email package and its strict header parsers, and decodes
every part. Whatever the package calls a defect, in the structure, a header field or a body, is one here. Exit 1 where
there was any, 2 where a file cannot be read."""
import email
import email.policy
import sys


def defects_of(message):
    for part in message.walk():
        kind = part.get_content_type()
        for name, value in part.items():
            for defect in getattr(value, "defects", ()):
                yield f"{kind}: {name}: {defect!r}"
        if not part.is_multipart():
            try:
                part.get_content()
            except (LookupError, ValueError) as error:
                yield f"{kind}: cannot be decoded: {error}"
        for defect in part.defects:
            yield f"{kind}: {defect!r}"
    for name in ("From", "Date", "Message-ID", "MIME-Version"):
        if len(message.get_all(name, [])) != 1:
            yield f"not one {name}"


def judge(path):
    with open(path, "rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.SMTPUTF8)
    found = list(defects_of(message))
    for defect in found:
        print(f"{path}: {defect}")
    print(f"{path}: {sum(1 for _ in message.walk())} parts, {len(found)} defects")
    return 1 if found else 0


def main(paths):
    result = 0 if paths else 2
    for path in paths:
        try:
            result = max(result, judge(path))
        except OSError as error:
            print(error, file=sys.stderr)
            result = 2
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
