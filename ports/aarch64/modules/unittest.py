# A small unittest: what tests that run on a target need, after CPython's module of that name.

import sys


class SkipTest(Exception):
    pass


class _AssertRaises:
    def __init__(self, expected):
        self.expected = expected

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        if exc_type is None:
            raise AssertionError("%r not raised" % (self.expected,))
        self.exception = exc
        return issubclass(exc_type, self.expected)


class _SubTest:
    def __init__(self, case, msg, params):
        self.case = case
        self.what = "%s %r" % ("" if msg is None else msg, params)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        if exc_type is None or not issubclass(exc_type, Exception):
            return False
        if issubclass(exc_type, SkipTest):
            return False
        self.case._result._record(self.what, exc)
        return True


def _fail(msg, default):
    raise AssertionError(default if msg is None else msg)


class TestCase:
    def setUp(self):
        pass

    def tearDown(self):
        pass

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def fail(self, msg=None):
        _fail(msg, "fail() was called")

    def skipTest(self, reason):
        raise SkipTest(reason)

    def subTest(self, msg=None, **params):
        return _SubTest(self, msg, params)

    def assertEqual(self, a, b, msg=None):
        if not a == b:
            _fail(msg, "%r != %r" % (a, b))

    def assertNotEqual(self, a, b, msg=None):
        if not a != b:
            _fail(msg, "%r == %r" % (a, b))

    def assertTrue(self, x, msg=None):
        if not x:
            _fail(msg, "%r is not true" % (x,))

    def assertFalse(self, x, msg=None):
        if x:
            _fail(msg, "%r is not false" % (x,))

    def assertIs(self, a, b, msg=None):
        if a is not b:
            _fail(msg, "%r is not %r" % (a, b))

    def assertIsNot(self, a, b, msg=None):
        if a is b:
            _fail(msg, "%r is %r" % (a, b))

    def assertIsNone(self, x, msg=None):
        self.assertIs(x, None, msg)

    def assertIsNotNone(self, x, msg=None):
        self.assertIsNot(x, None, msg)

    def assertIn(self, x, container, msg=None):
        if x not in container:
            _fail(msg, "%r not in %r" % (x, container))

    def assertNotIn(self, x, container, msg=None):
        if x in container:
            _fail(msg, "%r in %r" % (x, container))

    def assertIsInstance(self, x, cls, msg=None):
        if not isinstance(x, cls):
            _fail(msg, "%r is not a %r" % (x, cls))

    def assertLess(self, a, b, msg=None):
        if not a < b:
            _fail(msg, "%r is not less than %r" % (a, b))

    def assertLessEqual(self, a, b, msg=None):
        if not a <= b:
            _fail(msg, "%r is greater than %r" % (a, b))

    def assertGreater(self, a, b, msg=None):
        if not a > b:
            _fail(msg, "%r is not greater than %r" % (a, b))

    def assertGreaterEqual(self, a, b, msg=None):
        if not a >= b:
            _fail(msg, "%r is less than %r" % (a, b))

    def assertAlmostEqual(self, a, b, places=7, msg=None, delta=None):
        if a != b and not (
            round(abs(a - b), places) == 0 if delta is None else abs(a - b) <= delta
        ):
            _fail(msg, "%r and %r differ too much" % (a, b))

    def assertNotAlmostEqual(self, a, b, places=7, msg=None, delta=None):
        if a == b or (round(abs(a - b), places) == 0 if delta is None else abs(a - b) <= delta):
            _fail(msg, "%r and %r are too close" % (a, b))

    def assertRaises(self, exc, func=None, *args, **kwargs):
        context = _AssertRaises(exc)
        if func is None:
            return context
        with context:
            func(*args, **kwargs)


def skip(reason):
    def decorate(item):
        def skipped(self):
            raise SkipTest(reason)

        if isinstance(item, type):
            item._skip = reason
            return item
        return skipped

    return decorate


def skipIf(condition, reason):
    return skip(reason) if condition else lambda item: item


def skipUnless(condition, reason):
    return skipIf(not condition, reason)


def expectedFailure(test):
    def inverted(self):
        try:
            test(self)
        except Exception:
            return
        raise AssertionError("unexpected success")

    return inverted


class TestResult:
    def __init__(self):
        self.testsRun = 0
        self.skippedNum = 0
        self.failures = []
        self.errors = []

    def wasSuccessful(self):
        return not self.failures and not self.errors

    def _record(self, name, exc):
        (self.failures if isinstance(exc, AssertionError) else self.errors).append((name, exc))
        print(" FAIL" if isinstance(exc, AssertionError) else " ERROR")
        sys.print_exception(exc)

    def _run(self, name, case, test):
        print(name, "...", end="")
        case._result = self
        before = len(self.failures) + len(self.errors)
        self.testsRun += 1
        try:
            case.setUp()
            try:
                test()
            finally:
                case.tearDown()
        except SkipTest as exc:
            self.skippedNum += 1
            print(" skipped:", exc)
        except Exception as exc:
            self._record(name, exc)
        else:
            if before == len(self.failures) + len(self.errors):
                print(" ok")

    def _run_class(self, cls):
        if hasattr(cls, "_skip"):
            print(cls.__name__, "skipped:", cls._skip)
            return
        case = cls()
        cls.setUpClass()
        for name in dir(case):
            if name.startswith("test"):
                self._run("%s (%s)" % (name, cls.__name__), case, getattr(case, name))
        cls.tearDownClass()


class TestSuite:
    def __init__(self, name=""):
        self.classes = []

    def addTest(self, cls):
        self.classes.append(cls)

    def run(self, result):
        for cls in self.classes:
            result._run_class(cls)
        return result


class TextTestRunner:
    def run(self, suite):
        result = suite.run(TestResult())
        print("-" * 70)
        print("Ran %d tests\n" % result.testsRun)
        if result.wasSuccessful():
            print("OK (skipped=%d)" % result.skippedNum if result.skippedNum else "OK")
        else:
            print("FAILED (failures=%d, errors=%d)" % (len(result.failures), len(result.errors)))
        return result


def main(module="__main__", testRunner=None):
    if isinstance(module, str):
        module = __import__(module)
    suite = TestSuite()
    for name in dir(module):
        item = getattr(module, name)
        if isinstance(item, type) and item is not TestCase and issubclass(item, TestCase):
            suite.addTest(item)
    return (testRunner or TextTestRunner()).run(suite)
