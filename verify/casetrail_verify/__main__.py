"""`python -m casetrail_verify` is `casetrail-verify`."""

from casetrail_verify.starting import main

if __name__ == "__main__":
    main()
