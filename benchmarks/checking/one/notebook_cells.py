"""A notebook that was saved as a script: cells, and one of them draws without a seed."""

# In[1]:

import numpy as np

np.set_printoptions(precision=5)

# In[2]:

X = np.vander(np.linspace(-1, 1, 25), 4)
true = np.array([1.0, -0.5, 2.0, 0.1])
y = X @ true

# In[3]: some noise, as in real life

y_noisy = y + np.random.normal(0, 0.1, size=y.shape)

# In[4]:

coefficients, *_ = np.linalg.lstsq(X, y_noisy, rcond=None)
coefficients

# In[5]:

print(coefficients)
print("error", np.abs(coefficients - true).max())
