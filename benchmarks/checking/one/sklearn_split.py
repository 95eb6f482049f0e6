"""train_test_split without random_state, before a model that has none to choose."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

x = np.linspace(0, 3, 50)[:, None]
y = np.sin(3 * x).ravel()
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3)
model = Ridge().fit(np.hstack([x_train, x_train**2, x_train**3]), y_train)
print("R2:", model.score(np.hstack([x_test, x_test**2, x_test**3]), y_test))
